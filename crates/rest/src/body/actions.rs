use crate::Action;

/// A set of actions.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct ActionSet(pub(crate) u8);

impl ActionSet {
    /// The actions of the set, in the order of [`Action::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Action> {
        Action::ALL.into_iter().filter(move |action| self.contains(*action))
    }

    /// Whether the action is in the set; `admin` includes no other here.
    pub const fn contains(self, action: Action) -> bool {
        self.0 & Self::bit(action) != 0
    }

    /// Whether the set has no actions.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) const fn with(self, action: Action) -> Self {
        Self(self.0 | Self::bit(action))
    }

    pub(crate) const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn bit(action: Action) -> u8 {
        match action {
            Action::Read => 1,
            Action::Write => 2,
            Action::Manage => 4,
            Action::Monitor => 8,
            Action::Admin => 16,
        }
    }
}
