"""A shield that finds insecure Python in what is said, by the static analyser Bandit. No key, no network; no code is
executed. https://bandit.readthedocs.io

CodeShield, which llama-stack has here, is 331 MB with the Semgrep that it needs, and found neither `eval(input())` nor
`os.system(input())`.
"""

from runtime.spec import inline, live

SPEC = inline(
    "code-scanner",
    summary="Insecure Python code in a message, by the static analyser Bandit; other languages are told as not read",
    adapter=".adapter:CodeScannerSafety",
    config=".config:CodeScannerConfig",
    packages=("bandit>=1.8,<2",),
    aliases=("inline::codeshield",),
    evidence=live("Bandit itself, in processes of its own"),
)
