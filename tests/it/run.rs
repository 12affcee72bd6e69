//! What whoever runs it relies on: reloading, the watchdog, the doctor, exit codes, files for systemd and Docker.

mod doctor;
mod exit_codes;
mod reload;
mod shipped;
mod systemd;
