"""Changes nothing: it keeps an older version, which does not know signals of the type `patches`, from the database."""

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Does nothing."""
