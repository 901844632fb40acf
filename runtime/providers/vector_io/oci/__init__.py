"""Oracle Database, from version 23ai on. https://docs.oracle.com/en/database/oracle/oracle-database/23/vecse"""

from runtime.spec import NoEffect, remote, unproven

SPEC = remote(
    "oci",
    summary="Oracle Database: exact search, or by an index that is made there",
    adapter=".server:remote_oracle",
    over_http=False,
    config=".config:OracleConfig",
    packages=("oracledb>=3.0",),
    enabled_by="OCI26AI_CONNECTION_STRING",
    older={"consistency_level": NoEffect("what is committed is seen at once")},
    sample_config={
        "conn_str": "${env.OCI26AI_CONNECTION_STRING:=}",
        "user": "${env.OCI26AI_USER:=}",
        "password": "${env.OCI26AI_PASSWORD:=}",
        "tnsnames_loc": "${env.OCI26AI_TNSNAMES_LOC:=}",
        "ewallet_pem_loc": "${env.OCI26AI_EWALLET_PEM_LOC:=}",
        "ewallet_password": "${env.OCI26AI_EWALLET_PWD:=}",
    },
    evidence=unproven(
        "its statements and what they are given are tested with a driver that only notes them: no package has"
        " the server"
    ),
)
