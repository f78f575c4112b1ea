//! How a new owner found its page.

use crate::words::named;

named! {
    /// How a breaker's page was found at construction, if it is in a file.
    #[non_exhaustive]
    pub enum Started {
        /// The page is new: no earlier state was found. `start` decided.
        New = 1, "new";
        /// The last owner ended while closed, not halted, and with no call in flight for longer than the threshold.
        Clean = 2, "clean";
        /// The last owner was killed, or ended in any other way: the breaker is open, with its attempt.
        Unclean = 3, "unclean";
    }
}
