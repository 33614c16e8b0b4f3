//! Load that the server was asked to report, and the service that reports it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use corespun::{Request, Sender, Status, sleep};

use super::proto::grpc::testing::TestOrcaReport;
use super::proto::xds::data::orca::v3::OrcaLoadReport;
use super::proto::xds::service::orca::v3::OrcaLoadReportRequest;
use super::proto::xds::service::orca::v3::open_rca_service_server::OpenRcaService;

/// Shortest interval between two reports. Real backends require 30 seconds; a test cannot wait that
/// long.
pub const INTERVAL_MIN: Duration = Duration::from_secs(1);

/// Load of the whole server, shared by all shards: watchers on any shard see a change. Only the
/// latest report counts, so only one test may run at a time.
#[derive(Clone, Debug, Default)]
pub struct Load {
    report: Arc<Mutex<OrcaLoadReport>>,
}

impl Load {
    /// Sets the load. The cost of a single request in the report is ignored, because it is not the
    /// server's.
    pub fn set(&self, asked: TestOrcaReport) {
        let report = OrcaLoadReport {
            request_cost: Default::default(),
            ..report(asked)
        };
        *self.report.lock().unwrap_or_else(PoisonError::into_inner) = report;
    }

    fn report(&self) -> OrcaLoadReport {
        let report = self.report.lock();
        report.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Returns the report that a request asks for.
pub(super) fn report(asked: TestOrcaReport) -> OrcaLoadReport {
    OrcaLoadReport {
        cpu_utilization: asked.cpu_utilization,
        mem_utilization: asked.memory_utilization,
        request_cost: asked.request_cost,
        utilization: asked.utilization,
        ..OrcaLoadReport::default()
    }
}

/// Service that reports the load of the server while the client reads.
#[derive(Debug)]
pub struct LoadReports(pub Load);

impl OpenRcaService for LoadReports {
    async fn stream_core_metrics(
        &self,
        request: Request<OrcaLoadReportRequest>,
        out: &mut Sender<OrcaLoadReport>,
    ) -> Result<(), Status> {
        let wished = request.into_inner().report_interval.unwrap_or_default();
        // A negative interval counts as unset.
        let interval = Duration::try_from(wished).unwrap_or_default();
        loop {
            out.send(self.0.report()).await?;
            sleep(interval.max(INTERVAL_MIN)).await;
        }
    }
}
