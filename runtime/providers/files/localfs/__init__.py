"""Files in a folder of this machine. No key, no network service."""

from runtime.spec import inline, live

SPEC = inline(
    "localfs",
    summary="Files in a folder of this machine",
    adapter=".adapter:local_files",
    config=".config:LocalFilesConfig",
    packages=("xxhash>=3.4",),
    sample_config={"storage_dir": "${env.FILES_STORAGE_DIR:=}"},
    evidence=live("real folders, a server that is killed, and OpenAI's client"),
)
