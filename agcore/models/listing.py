"""A line of a list of models, in no vendor's shape."""

from __future__ import annotations

import msgspec

from agcore.models.profiles import Profile


class ListedModel(msgspec.Struct, frozen=True):
    """One line of a listing."""

    id: str
    """What clients ask for."""
    provider: str
    """The name of the provider tried first."""
    model: str
    """The name of the model there."""
    profile: Profile
    """That model's profile, overrides applied."""

    @property
    def display_name(self) -> str:
        """The model's own name, or the id where that is an alias of something else."""
        return self.profile.display_name if self.id == self.model else self.id
