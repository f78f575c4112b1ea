//! The table of faults, with real servers, real processes and real pages. Where there is no server the tests are skipped, and say so. The
//! long ones run if `TRIP99_FLEET_LONG` is set.

mod faults {
    pub(crate) mod setup;
    pub(crate) mod everyday;
    pub(crate) mod cut;
    pub(crate) mod servers;
    pub(crate) mod messages;
    pub(crate) mod versions;
    pub(crate) mod network;
    pub(crate) mod long;
    pub(crate) mod credentials;
}
#[path = "../../tests/harness/mod.rs"]
mod harness;

use faults::{credentials, cut, everyday, long, messages, network, servers, setup, versions};
use std::process::ExitCode;

fn main() -> ExitCode {
    harness::run(&[
        ("the_table_of_faults_names_tests_that_are_there", setup::table),
        ("a_halt_by_label_stops_just_those_and_a_resume_lifts_it", everyday::a_halt_by_label),
        ("a_host_that_is_cut_off_stops_by_itself", cut::a_host_that_is_cut_off),
        ("an_agent_that_is_stopped_stops_its_host", cut::an_agent_that_is_stopped),
        ("two_of_three_servers_dead_and_halts_still_reach_all", servers::two_of_three_dead),
        ("what_is_not_understood_halts_and_what_is_forged_lifts_nothing", messages::odd_messages),
        ("a_host_whose_wire_is_cut_stops_by_itself", network::a_wire_that_is_cut),
        ("governors_answer_in_their_version_and_file_no_other", versions::governors_of_another_version),
        ("long_halters_of_another_version", versions::halters_of_another_version),
        ("long_agents_of_another_version", versions::agents_of_another_version),
        ("long_a_wire_that_loses", network::a_wire_that_loses),
        ("long_a_wire_that_is_slow", network::a_wire_that_is_slow),
        ("long_the_leader_is_killed", long::the_leader_is_killed),
        ("long_the_leader_hangs", long::the_leader_hangs),
        ("long_all_servers_start_again", long::all_servers_start_again),
        ("long_governors_die", long::governors_die),
        ("long_two_at_once", long::two_at_once),
        ("long_a_lame_duck", long::a_lame_duck),
        ("long_a_resumer_is_revoked", credentials::a_resumer_is_revoked),
        ("long_a_halter_is_revoked", credentials::a_halter_is_revoked),
        ("long_an_agent_is_revoked", credentials::an_agent_is_revoked),
        ("long_a_certificate_runs_out", credentials::a_certificate_runs_out),
        ("long_a_clock_is_set", long::a_clock_is_set),
        ("long_a_page_is_removed", long::a_page_is_removed),
        ("long_everything_is_slow", long::everything_is_slow),
    ])
}
