//! Flags about TLS and about agents.

use std::path::PathBuf;

use clap::Args;

/// Flags about TLS.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "TLS")]
pub struct TlsArgs {
    /// TLS, with the authorities that this machine trusts
    #[arg(long)]
    pub tls: bool,
    /// PEM file with the authorities to trust instead, or with the server's own certificate
    #[arg(long, value_name = "FILE")]
    pub cacert: Option<PathBuf>,
    /// PEM file with the client's certificate chain (mutual TLS)
    #[arg(long, value_name = "FILE")]
    pub cert: Option<PathBuf>,
    /// PEM file with the private key of --cert
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Name that the server's certificate must be for (default: the name of the calls)
    #[arg(long, value_name = "NAME")]
    pub servername: Option<String>,
    /// No verification of certificates (insecure)
    #[arg(long)]
    pub insecure_skip_verify: bool,
}

/// Flags of a run that other generators make.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Agents")]
pub struct AgentsArgs {
    /// Agents that generate the load instead of this process, each with its share of --rate or
    /// --calls and with --connections of its own. The schema, data and keys are sent to them: in
    /// the clear without --agents-cacert
    #[arg(
        id = "agents",
        long = "agents",
        value_name = "HOST:PORT,…",
        value_delimiter = ',',
        conflicts_with = "record"
    )]
    pub addresses: Vec<String>,
    /// PEM file with the authorities of agents' certificates; switches TLS to agents on
    #[arg(
        id = "agents_cacert",
        long = "agents-cacert",
        value_name = "FILE",
        requires = "agents"
    )]
    pub cacert: Option<PathBuf>,
    /// PEM file with the certificate chain for agents (mutual TLS)
    #[arg(
        id = "agents_cert",
        long = "agents-cert",
        value_name = "FILE",
        requires = "agents",
        requires = "agents_key"
    )]
    pub cert: Option<PathBuf>,
    /// PEM file with the private key of --agents-cert
    #[arg(
        id = "agents_key",
        long = "agents-key",
        value_name = "FILE",
        requires = "agents",
        requires = "agents_cert"
    )]
    pub key: Option<PathBuf>,
    /// Token that agents ask for: the token itself, @FILE or env:NAME
    #[arg(
        id = "agents_token",
        long = "agents-token",
        value_name = "TOKEN",
        allow_hyphen_values = true,
        requires = "agents"
    )]
    pub token: Option<String>,
    /// Name that agents' certificates must be for (default: the name in --agents)
    #[arg(
        id = "agents_servername",
        long = "agents-servername",
        value_name = "NAME",
        requires = "agents"
    )]
    pub servername: Option<String>,
}
