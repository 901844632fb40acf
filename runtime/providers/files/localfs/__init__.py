"""Files in a folder of this machine. No key, no network service."""

from runtime.spec import StandIn, inline, live

SPEC = inline(
    "localfs",
    summary="Files in a folder of this machine",
    adapter=".adapter:local_files",
    config=".config:LocalFilesConfig",
    in_replay=StandIn("runtime.providers.files._shared.in_state:files_in_state", packages=("xxhash>=3.4",)),
    packages=("xxhash>=3.4",),
    sample_config={"storage_dir": "${env.FILES_STORAGE_DIR:=}"},
    evidence=live("real folders, a server that is killed, and OpenAI's client"),
)
