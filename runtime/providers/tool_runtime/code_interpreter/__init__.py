"""The tool `code_interpreter`: Python that runs in a container of this stack. No key, no network."""

from runtime.spec import inline, live

SPEC = inline(
    "code-interpreter",
    summary="Python in a container, as a tool",
    adapter=".adapter:CodeInterpreter",
    needs=("containers",),
    serves=("builtin::code_interpreter",),
    evidence=live("containers of this stack"),
)
