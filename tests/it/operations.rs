//! Reload, watchdog, doctor, exit codes, files for systemd and Docker.

mod container;
mod corners;
mod doctor;
mod everywhere;
mod exit_codes;
mod faults;
mod host;
mod newer;
mod reload;
mod reload_refused;
mod secrets;
mod settings;
mod shipped;
mod systemd;
