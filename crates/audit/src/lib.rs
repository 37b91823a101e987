//! The audit trail: one record a request, written to file or standard output and never lost silently.
