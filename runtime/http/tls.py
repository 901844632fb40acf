"""The TLS settings of one provider, and the base of all network settings.

Checked when a config is read, if their files exist: a build may run on another machine. Imports `ssl` only when TLS is
set up.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from runtime.unset import none_for_empty

if TYPE_CHECKING:
    import ssl


class Settings(BaseModel):
    # Errors do not quote the input, which may be a password.
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, hide_input_in_errors=True)


def _file(value: Any) -> Any:
    if not isinstance(value, str | Path) or value == "":
        return none_for_empty(value)
    return Path(value).expanduser()


def _certificates(value: Any) -> Any:
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    if not isinstance(value, str | Path) or value == "":
        return True if value in (None, "") else value
    path = Path(value).expanduser()
    if not (path.suffix or len(path.parts) > 1 or path.exists()):  # a word: a switch that is spelled in another way
        raise ValueError("must be true, false, or the path of a file or folder, as in `/etc/ssl/ca.pem`")
    return path


File = Annotated[Path | None, BeforeValidator(_file)]


class TlsSettings(Settings):
    verify: Annotated[bool | Path, BeforeValidator(_certificates)] = Field(
        True,
        description="Whether the server's certificate is verified, or the file or folder (as OpenSSL names its files) "
        "of the certificate authorities to trust; by default true, with the system's.",
    )
    min_version: Annotated[Literal["TLSv1.2", "TLSv1.3"] | None, BeforeValidator(none_for_empty)] = Field(
        None, description="Oldest version of TLS to speak; by default TLSv1.2."
    )
    ciphers: list[str] | None = Field(
        None, description="Cipher suites for TLSv1.2, as OpenSSL names them; by default Python's choice."
    )
    client_cert: File = Field(None, description="File of the certificate that we show, PEM; by default none is shown.")
    client_key: File = Field(
        None, description="File of its private key, PEM; by default it is in the file of the certificate."
    )
    client_key_password: SecretStr | None = Field(
        None, description="Password of the private key; by default it has none."
    )

    @model_validator(mode="after")
    def _is_valid(self) -> Self:
        """Check the settings with OpenSSL, if their files exist. Raises ValueError with its message."""
        if self.client_cert is None and (self.client_key is not None or self.client_key_password is not None):
            raise ValueError("`client_key` needs `client_cert`")
        if self.missing() is None:
            self.context()
        return self

    def missing(self) -> Path | None:
        """A file of these settings that does not exist; None if all exist."""
        named = (self.verify, self.client_cert, self.client_key)
        return next((path for path in named if isinstance(path, Path) and not path.exists()), None)

    def context(self, *, authorities: Path | None = None) -> ssl.SSLContext:
        """The context for connections. authorities: a file with more certificates to trust. Raises ValueError."""
        import ssl

        try:
            folder = self.verify if isinstance(self.verify, Path) and self.verify.is_dir() else None
            file = self.verify if isinstance(self.verify, Path) and folder is None else None
            context = ssl.create_default_context(cafile=file, capath=folder)
            if self.verify is False:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            if authorities is not None:
                context.load_verify_locations(authorities)
            if self.min_version is not None:
                context.minimum_version = ssl.TLSVersion[self.min_version.replace(".", "_")]
            if self.ciphers:
                context.set_ciphers(":".join(self.ciphers))
            if self.client_cert is not None:
                password = self.client_key_password.get_secret_value() if self.client_key_password else ""
                # A function, since OpenSSL would ask at the terminal for a missing password.
                context.load_cert_chain(self.client_cert, self.client_key, password=lambda: password)
        except (OSError, ssl.SSLError) as error:
            raise ValueError(f"cannot be used: {error.strerror or error}") from error
        return context
