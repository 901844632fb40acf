"""Pydantic's types of errors in our words: one table, which a test compares with pydantic's own list.

Names in braces are the error's own facts (`ctx`), or words of the format (`Vocabulary`): `text`, `object`, `array`.
"""

from __future__ import annotations

_WHOLE, _NUMBER, _BOOL = "a whole number", "a number", "true or false"
_DATE, _TIME = "a date such as `2026-01-31`", "a time such as `12:30:00`"
_MOMENT = "a date and time such as `2026-01-31T12:30:00Z`"
_DURATION, _URL, _UUID = "a duration", "a URL such as `https://app.example`", "a UUID"

OF_ANOTHER_TYPE = {
    "arguments_type": "{array} or {object}",
    "bool_parsing": _BOOL,
    "bool_type": _BOOL,
    "bytes_type": "bytes",
    "callable_type": "a function",
    "complex_str_parsing": "a complex number",
    "complex_type": "a complex number",
    "counter_type": "{object}",
    "dataclass_exact_type": "{object}",
    "dataclass_type": "{object}",
    "date_type": _DATE,
    "datetime_type": _MOMENT,
    "decimal_parsing": _NUMBER,
    "decimal_type": _NUMBER,
    "deque_type": "{array}",
    "dict_type": "{object}",
    "ellipsis_error": "`...`",
    "float_parsing": _NUMBER,
    "float_type": _NUMBER,
    "fraction_parsing": "a fraction",
    "fraction_type": "a fraction",
    "frozen_dict_type": "{object}",
    "frozen_set_type": "{array}",
    "int_from_float": _WHOLE,
    "int_parsing": _WHOLE,
    "int_type": _WHOLE,
    "invalid_key": "names that are text",
    "is_instance_of": "an instance of {class}",
    "is_subclass_of": "a subclass of {class}",
    "iterable_type": "{array}",
    "json_type": "{text} of JSON",
    "list_type": "{array}",
    "mapping_type": "{object}",
    "missing_sentinel_error": "no value",
    "model_attributes_type": "{object}",
    "model_type": "{object}",
    "named_tuple_type": "{array} or {object}",
    "none_required": "{null}",
    "ordered_dict_type": "{object}",
    "path_type": "a path",
    "set_item_not_hashable": "neither {array} nor {object}",
    "set_type": "{array}",
    "string_sub_type": "{text}",
    "string_type": "{text}",
    "time_delta_type": _DURATION,
    "time_type": _TIME,
    "tuple_type": "{array}",
    "url_type": _URL,
    "uuid_type": _UUID,
}
"""What a value should be that is of another kind altogether."""

OF_A_BOUND = {
    "bytes_invalid_encoding": "text in {encoding}",
    "bytes_too_long": "at most {max_length} byte(s)",
    "bytes_too_short": "at least {min_length} byte(s)",
    "date_from_datetime_inexact": "a date without a time of day",
    "date_from_datetime_parsing": _DATE,
    "date_future": "a date in the future",
    "date_parsing": _DATE,
    "date_past": "a date in the past",
    "datetime_from_date_parsing": _MOMENT,
    "datetime_future": "a time in the future",
    "datetime_object_invalid": _MOMENT,
    "datetime_parsing": _MOMENT,
    "datetime_past": "a time in the past",
    "decimal_max_digits": "at most {max_digits} digit(s)",
    "decimal_max_places": "at most {decimal_places} decimal place(s)",
    "decimal_whole_digits": "at most {whole_digits} digit(s) before the decimal point",
    "finite_number": "a finite number",
    "greater_than": "a number greater than {gt}",
    "greater_than_equal": "a number of at least {ge}",
    "int_parsing_size": "a smaller whole number",
    "json_invalid": "JSON",
    "less_than": "a number less than {lt}",
    "less_than_equal": "a number of at most {le}",
    "multiple_of": "a multiple of {multiple_of}",
    "string_not_ascii": "ASCII characters only",
    "string_pattern_mismatch": "text that matches the pattern `{pattern}`",
    "string_unicode": "valid Unicode text",
    "time_delta_parsing": _DURATION,
    "time_parsing": _TIME,
    "timezone_aware": "a time with a time zone",
    "timezone_naive": "a time without a time zone",
    "timezone_offset": "the time zone offset {tz_expected}",
    "url_parsing": _URL,
    "url_scheme": "a URL that begins with {expected_schemes}",
    "url_syntax_violation": _URL,
    "url_too_long": "at most {max_length} character(s)",
    "uuid_parsing": _UUID,
    "uuid_version": "a UUID of version {expected_version}",
}
"""What a value should be that is of the right kind."""

OF_A_LENGTH = {
    "string_too_long": "at most {max_length} character(s)",
    "string_too_short": "at least {min_length} character(s)",
    "too_long": "at most {max_length} item(s)",
    "too_short": "at least {min_length} item(s)",
}
"""The same where the value is told by its length."""

OF_CHOICES = {"enum": "expected", "literal_error": "expected", "union_tag_invalid": "expected_tags"}
"""Values that are none of a list; and the fact that is the list."""

FACTS = {
    "default_factory_not_called": "has no default while other {field}s are wrong",
    "extra_forbidden": "unknown {field} `{name}`",
    "frozen_field": "cannot be changed",
    "frozen_instance": "cannot be changed",
    "get_attribute_error": "cannot be read",
    "iteration_error": "cannot be read to its end",
    "missing": "is missing",
    "missing_argument": "is missing",
    "missing_keyword_only_argument": "is missing",
    "missing_positional_only_argument": "is missing",
    "multiple_argument_values": "is given twice",
    "needs_python_object": "cannot be read from JSON",
    "no_such_attribute": "unknown {field} `{attribute}`",
    "recursion_depth_exceeded": "is nested too deeply",
    "recursion_loop": "refers to itself",
    "unexpected_keyword_argument": "unknown {field} `{name}`",
    "unexpected_positional_argument": "is one too many",
    "union_tag_not_found": "is missing",
}
"""What is wrong where no other value would be right."""

OF_OUR_OWN = ("value_error", "assertion_error")
"""Raised by our validators, whose words come after pydantic's own."""
