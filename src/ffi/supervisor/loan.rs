//! Breakers on a supervisor's list, and how they go to its thread and come back.

use super::callbacks::Check;
use crate::breaker::Breaker;
use crate::ffi::handle::Listed;
use crate::ffi::standing::Standing;
use crate::ffi::status::{CB_STATUS_NOT_NOW, Failure};
use crate::supervisor::Node;
use core::time::Duration;

pub(super) struct Supervised {
    pub(super) name: String,
    pub(super) breaker: Listed,
    pub(super) check: Option<(Check, Duration)>,
}

impl Supervised {
    pub(super) fn supervise(&self, breaker: Breaker) -> Node {
        let node = Node::new(self.name.as_str(), breaker);
        let Some((check, every)) = &self.check else { return node };
        check.clone().of_node(if every.is_zero() { node } else { node.check_every(*every) })
    }
}

/// What these breakers' handles lent, on its way. If it ends here, by a panic, the breakers are gone, and their handles refuse.
pub(super) struct Loan<'a>(&'a [Supervised]);

impl<'a> Loan<'a> {
    /// Takes all breakers out of their handles; if one isn't there, none.
    ///
    /// # Safety
    /// The caller is the owner of those that are there.
    pub(super) unsafe fn take_out(nodes: &'a [Supervised]) -> Result<(Self, Vec<Breaker>), Failure> {
        let mut breakers = Vec::with_capacity(nodes.len());
        let mut loan = Self(&[]);
        for (index, node) in nodes.iter().enumerate() {
            // SAFETY: by the caller.
            match unsafe { node.breaker.lend() } {
                Ok(breaker) => {
                    loan.0 = nodes.get(..=index).unwrap_or_default();
                    breakers.push(breaker);
                }
                Err(standing) => {
                    // SAFETY: these were lent right here, by the owner of them all.
                    unsafe { loan.take_back(breakers) };
                    return Err(match standing {
                        Standing::Lent | Standing::LentAndDestroyed => {
                            Failure::new(CB_STATUS_NOT_NOW, format_args!("{} is with another supervisor", node.name))
                        }
                        other => other.failure(&node.name),
                    });
                }
            }
        }
        Ok((loan, breakers))
    }

    /// What a supervisor that stops gives back.
    pub(super) fn at_its_end(nodes: &'a [Supervised]) -> Self {
        Self(nodes)
    }

    /// # Safety
    /// These are the nodes' breakers, in order, as they were lent. Nobody calls an owner's function of them at the same time.
    pub(super) unsafe fn take_back(mut self, breakers: impl IntoIterator<Item = Breaker>) {
        for breaker in breakers {
            let Some((node, rest)) = self.0.split_first() else { break };
            // SAFETY: by the caller.
            unsafe { node.breaker.take_back(breaker) };
            self.0 = rest;
        }
    }

    /// A supervisor has the breakers.
    pub(super) fn goes_on(mut self) {
        self.0 = &[];
    }
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        self.0.iter().for_each(|node| node.breaker.lose());
    }
}
