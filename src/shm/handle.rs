//! A counted reference. Its target lies in what it keeps alive: a value on the heap, or a part of a mapped file.
#![expect(unsafe_code, reason = "a pointer into what the keeper owns")]

use core::any::Any;
use core::ops::Deref;
use core::ptr::NonNull;
use std::sync::Arc;

/// A reference like `Arc<T>`. The pointer leads straight to the target, wherever that is, so following it costs the same.
pub(crate) struct Handle<T: ?Sized> {
    /// Valid for shared references for as long as the keeper lives.
    target: NonNull<T>,
    keeper: Arc<dyn Any + Send + Sync>,
}

impl<T: Send + Sync + 'static> Handle<T> {
    /// A handle of a value on the heap.
    pub(crate) fn new(value: T) -> Self {
        let keeper = Arc::new(value);
        Self { target: NonNull::from(&*keeper), keeper }
    }
}

impl<T: ?Sized> Handle<T> {
    /// A handle of a part of the target, or of what is there for ever.
    pub(crate) fn part<U: ?Sized>(&self, part: impl FnOnce(&T) -> &U) -> Handle<U> {
        Handle { target: NonNull::from(part(self)), keeper: Arc::clone(&self.keeper) }
    }

    /// # Safety
    /// The target is valid for shared references for as long as `keeper` lives.
    pub(crate) unsafe fn within(target: NonNull<T>, keeper: Arc<dyn Any + Send + Sync>) -> Self {
        Self { target, keeper }
    }

    /// The keeper, if it is of this type.
    pub(crate) fn keeper<K: 'static>(&self) -> Option<&K> {
        self.keeper.downcast_ref()
    }
}

impl<T: ?Sized> Deref for Handle<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the target is valid for as long as the keeper lives, which is as long as `self`.
        unsafe { self.target.as_ref() }
    }
}

impl<T: ?Sized> Clone for Handle<T> {
    fn clone(&self) -> Self {
        Self { target: self.target, keeper: Arc::clone(&self.keeper) }
    }
}

// SAFETY: a handle gives out `&T` alone, on whichever thread, as `Arc<T>` does for such a `T`. The keeper is `Send` and `Sync` by its
// type.
unsafe impl<T: ?Sized + Send + Sync> Send for Handle<T> {}

// SAFETY: as for `Send`.
unsafe impl<T: ?Sized + Send + Sync> Sync for Handle<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_handle_drops_the_value() {
        let value = Arc::new(());
        let handle = Handle::new(Arc::clone(&value));
        let other = handle.clone();
        drop(handle);
        assert_eq!((Arc::strong_count(&other), Arc::strong_count(&value)), (2, 2));
        assert!(other.keeper::<Arc<()>>().is_some() && other.keeper::<u8>().is_none());
        drop(other);
        assert_eq!(Arc::strong_count(&value), 1);
    }
}
