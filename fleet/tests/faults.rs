//! The table of faults, with real servers, real processes and real pages. Where there is no server the tests are skipped, and say so. The
//! long ones run if `TRIP99_FLEET_LONG` is set.

mod faults {
    pub(crate) mod setup;
    pub(crate) mod everyday;
    pub(crate) mod cut;
    pub(crate) mod servers;
    pub(crate) mod messages;
    pub(crate) mod long;
}
#[path = "../../tests/harness/mod.rs"]
mod harness;

use faults::{cut, everyday, long, messages, servers, setup};
use std::process::ExitCode;

fn main() -> ExitCode {
    harness::run(&[
        ("the_table_of_faults_names_tests_that_are_there", setup::table),
        ("a_halt_by_label_stops_just_those_and_a_resume_lifts_it", everyday::a_halt_by_label),
        ("a_host_that_is_cut_off_stops_by_itself", cut::a_host_that_is_cut_off),
        ("an_agent_that_is_stopped_stops_its_host", cut::an_agent_that_is_stopped),
        ("two_of_three_servers_dead_and_halts_still_reach_all", servers::two_of_three_dead),
        ("what_is_not_understood_halts_and_what_is_forged_lifts_nothing", messages::odd_messages),
        ("long_the_leader_is_killed", long::the_leader_is_killed),
        ("long_the_leader_hangs", long::the_leader_hangs),
        ("long_all_servers_start_again", long::all_servers_start_again),
        ("long_governors_die", long::governors_die),
        ("long_credentials_are_revoked", long::credentials_are_revoked),
        ("long_a_page_is_removed", long::a_page_is_removed),
        ("long_everything_is_slow", long::everything_is_slow),
    ])
}
