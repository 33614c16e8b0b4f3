//! A small map from type to value, with which interceptors pass data to handlers.

use std::any::{Any, TypeId};
use std::fmt;

/// Map with at most one value of each type. An empty map owns no memory. Look-ups scan, because
/// there are few values.
///
/// ```
/// # use corespun_codec::Extensions;
/// struct Caller(&'static str);
/// let mut extensions = Extensions::new();
/// extensions.insert(Caller("ada"));
/// assert_eq!(extensions.get::<Caller>().unwrap().0, "ada");
/// ```
#[derive(Default)]
pub struct Extensions {
    values: Vec<(TypeId, Box<dyn Any>)>,
}

impl Extensions {
    /// Returns an empty map that owns no memory.
    pub const fn new() -> Self {
        Self { values: Vec::new() }
    }

    /// Inserts `value` and returns the previous value of its type, if any.
    pub fn insert<T: 'static>(&mut self, value: T) -> Option<T> {
        let old = self.remove::<T>();
        self.values.push((TypeId::of::<T>(), Box::new(value)));
        old
    }

    /// Returns the value of type `T`.
    pub fn get<T: 'static>(&self) -> Option<&T> {
        let wanted = TypeId::of::<T>();
        let (_, value) = self.values.iter().find(|(id, _)| *id == wanted)?;
        value.downcast_ref()
    }

    /// Returns the value of type `T` for changing it.
    pub fn get_mut<T: 'static>(&mut self) -> Option<&mut T> {
        let wanted = TypeId::of::<T>();
        let (_, value) = self.values.iter_mut().find(|(id, _)| *id == wanted)?;
        value.downcast_mut()
    }

    /// Removes and returns the value of type `T`.
    pub fn remove<T: 'static>(&mut self) -> Option<T> {
        let wanted = TypeId::of::<T>();
        let at = self.values.iter().position(|(id, _)| *id == wanted)?;
        let (_, value) = self.values.swap_remove(at);
        value.downcast().ok().map(|value| *value)
    }

    /// Returns the number of values.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Returns `true` if there are no values.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Removes all values and keeps the memory of the list.
    pub fn clear(&mut self) {
        self.values.clear();
    }
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Extensions({})", self.values.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_of_each_type() {
        let mut extensions = Extensions::new();
        assert_eq!(extensions.insert(1u8), None);
        assert_eq!(extensions.insert("text"), None);
        assert_eq!(extensions.insert(2u8), Some(1));
        *extensions.get_mut::<u8>().unwrap() += 1;
        assert_eq!(
            (extensions.get::<u8>(), extensions.get::<u16>()),
            (Some(&3), None)
        );
        assert_eq!(
            (extensions.len(), format!("{extensions:?}")),
            (2, "Extensions(2)".into())
        );
        assert_eq!(
            (extensions.remove::<u8>(), extensions.remove::<u8>()),
            (Some(3), None)
        );
        extensions.clear();
        assert!(extensions.is_empty());
    }
}
