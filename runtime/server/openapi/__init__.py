"""The OpenAPI document of what is mounted, and a page made from it. Both are made from the routes' marks and pydantic.

https://spec.openapis.org/oas/v3.1.1.html
"""
