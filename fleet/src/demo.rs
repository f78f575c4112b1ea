//! `trip99-fleet demo`

use crate::failure::Failure;
use clap::Args;
#[derive(Args, Debug)]
pub struct Options {}
pub async fn run(_options: Options) -> Result<(), Failure> { Ok(()) }
