"""Calls of functions, as the Berkeley Function-Calling Leaderboard judges them.

Its rules are those of "AST evaluation" in https://gorilla.cs.berkeley.edu/blogs/8_berkeley_function_calling_leaderboard.html
and of its checker, https://github.com/ShishirPatil/gorilla (`bfcl_eval/eval_checker/ast_eval`).
"""
