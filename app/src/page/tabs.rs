//! The views.

/// A view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tab {
    /// What the note says of sizes, and what is true.
    #[default]
    Sizes,
    /// Vectors and sentences, before and after compression.
    Try,
    /// A student trained in the tab.
    Train,
    /// The note's claims, each measured here.
    Claims,
}

impl Tab {
    /// All of them, as they stand in the navigation.
    pub const ALL: [Tab; 4] = [Tab::Sizes, Tab::Try, Tab::Train, Tab::Claims];

    /// In the address.
    pub fn name(self) -> &'static str {
        match self {
            Tab::Sizes => "sizes",
            Tab::Try => "try",
            Tab::Train => "train",
            Tab::Claims => "claims",
        }
    }

    /// In the navigation.
    pub fn title(self) -> &'static str {
        match self {
            Tab::Sizes => "Sizes",
            Tab::Try => "Try",
            Tab::Train => "Train here",
            Tab::Claims => "Claims",
        }
    }

    /// The view of that name in an address.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tab| tab.name() == name)
    }
}
