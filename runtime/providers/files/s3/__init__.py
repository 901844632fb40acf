"""Files in a bucket of Amazon S3, or of any server that speaks its protocol. https://docs.aws.amazon.com/AmazonS3

A file of more than 5 MiB is sent in parts. If this process is killed meanwhile, the bucket keeps parts that no list
shows: a rule of its lifecycle, AbortIncompleteMultipartUpload, removes them.
"""

from runtime.spec import StandIn, live, remote

SPEC = remote(
    "s3",
    summary="Files in a bucket of Amazon S3, or of a server that speaks its protocol",
    adapter=".adapter:s3_files",
    over_http=False,
    in_replay=StandIn("runtime.providers.files._shared.in_state:files_in_state", packages=("xxhash>=3.4",)),
    config=".config:S3FilesConfig",
    packages=("xxhash>=3.4", "obstore>=0.12"),
    enabled_by="S3_BUCKET_NAME",
    sample_config={
        "bucket_name": "${env.S3_BUCKET_NAME:=}",
        "region": "${env.AWS_REGION:=us-east-1}",
        "endpoint_url": "${env.S3_ENDPOINT_URL:=}",
        "aws_access_key_id": "${env.AWS_ACCESS_KEY_ID:=}",
        "aws_secret_access_key": "${env.AWS_SECRET_ACCESS_KEY:=}",
        "auto_create_bucket": "${env.S3_AUTO_CREATE_BUCKET:=false}",
    },
    evidence=live("SeaweedFS, which checks signatures"),
)
