"""Remember where a data set of the user's own was read, and how."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What loads the data set again, wherever the program is started."""

    path: str
    """The absolute path of the file or folder; of EMNIST with the set, `DIR:letters`."""
    as_is: bool
    """Whether images were resized only, see `RawData.to_dataset`."""

    @classmethod
    def of(cls, name: str, *, as_is: bool) -> "Origin":
        """Return the origin of what a user named by a path."""
        return cls(path=str(Path(name).absolute()), as_is=as_is)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: object) -> "Origin":
        """Rebuild it from the values of `to_dict`.

        Raises:
            ValueError: they are not such values.
        """
        match values:
            case {"path": str(path), "as_is": bool(as_is)} if Path(path).is_absolute():
                return cls(path=path, as_is=as_is)
        raise ValueError(f"{values!r:.100} does not say where a data set was read")
