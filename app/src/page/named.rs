//! A few values by name. A sorted list is a tenth of the code of the standard library's maps, and
//! the page holds dozens of names at most.

/// Values by name, in the names' order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named<V>(Vec<(String, V)>);

impl<V> Default for Named<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<V> Named<V> {
    fn find(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.as_str().cmp(name))
    }

    /// The value called `name`.
    pub fn get(&self, name: &str) -> Option<&V> {
        self.find(name).ok().map(|at| &self.0[at].1)
    }

    /// Sets the value called `name`.
    pub fn set(&mut self, name: &str, value: V) {
        match self.find(name) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => self.0.insert(at, (name.into(), value)),
        }
    }

    /// Drops the value called `name`.
    pub fn remove(&mut self, name: &str) {
        if let Ok(at) = self.find(name) {
            self.0.remove(at);
        }
    }

    /// All names and values.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &V)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_a_name_in_order() {
        let mut named = Named::default();
        for (name, value) in [("b", 1), ("a", 2), ("b", 3), ("c", 4)] {
            named.set(name, value);
        }
        named.remove("c");
        named.remove("d");
        assert_eq!(named.iter().collect::<Vec<_>>(), [("a", &2), ("b", &3)]);
        assert_eq!((named.get("b"), named.get("c")), (Some(&3), None));
    }
}
