//! Flags about TLS and about agents.

use std::path::PathBuf;

use clap::Args;

/// Flags about TLS.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "TLS")]
pub struct TlsArgs {
    /// Use TLS with the certificate authorities that this machine trusts
    #[arg(long)]
    pub tls: bool,
    /// PEM file with the certificate authorities to trust instead, or with the server's own
    /// certificate
    #[arg(long, value_name = "FILE")]
    pub cacert: Option<PathBuf>,
    /// PEM file with the client's certificate chain (mutual TLS)
    #[arg(long, value_name = "FILE")]
    pub cert: Option<PathBuf>,
    /// PEM file with the private key of --cert
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Name that the server's certificate must have (default: the server name of the calls)
    #[arg(long, value_name = "NAME")]
    pub servername: Option<String>,
    /// Skip certificate verification (insecure)
    #[arg(long)]
    pub insecure_skip_verify: bool,
}

/// Flags for a run by agents.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Agents")]
pub struct AgentsArgs {
    /// Agents that generate the load instead of this process. Each takes its share of --rate or
    /// --calls, and opens --connections of its own. They receive the schema, data and keys,
    /// unencrypted without --agents-cacert
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
    /// PEM file with the client certificate chain for agents (mutual TLS)
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
    /// Token that agents require: the token itself, @FILE or env:NAME
    #[arg(
        id = "agents_token",
        long = "agents-token",
        value_name = "TOKEN",
        allow_hyphen_values = true,
        requires = "agents"
    )]
    pub token: Option<String>,
    /// Name that agents' certificates must have (default: the name in --agents)
    #[arg(
        id = "agents_servername",
        long = "agents-servername",
        value_name = "NAME",
        requires = "agents"
    )]
    pub servername: Option<String>,
}
