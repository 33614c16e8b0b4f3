//! The load that the server was asked to report, and the service that reports it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use corespun::{Request, Sender, Status, sleep};

use super::proto::grpc::testing::TestOrcaReport;
use super::proto::xds::data::orca::v3::OrcaLoadReport;
use super::proto::xds::service::orca::v3::OrcaLoadReportRequest;
use super::proto::xds::service::orca::v3::open_rca_service_server::OpenRcaService;

/// The shortest time between two reports. Real backends insist on 30 seconds; a test cannot wait
/// for that.
pub const INTERVAL_MIN: Duration = Duration::from_secs(1);

/// The load of the whole server: whichever shard is told of it, those who watch on another hear.
/// The last report holds; that only one test runs at a time is for those who run them.
#[derive(Clone, Debug, Default)]
pub struct Load {
    report: Arc<Mutex<OrcaLoadReport>>,
}

impl Load {
    /// From now on this is the load. What a report costs a request is no matter of the server's.
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

/// The report that a request asks for.
pub(super) fn report(asked: TestOrcaReport) -> OrcaLoadReport {
    OrcaLoadReport {
        cpu_utilization: asked.cpu_utilization,
        mem_utilization: asked.memory_utilization,
        request_cost: asked.request_cost,
        utilization: asked.utilization,
        ..OrcaLoadReport::default()
    }
}

/// Tells the load of the server, for as long as the caller listens.
#[derive(Debug)]
pub struct LoadReports(pub Load);

impl OpenRcaService for LoadReports {
    async fn stream_core_metrics(
        &self,
        request: Request<OrcaLoadReportRequest>,
        out: &mut Sender<OrcaLoadReport>,
    ) -> Result<(), Status> {
        let wished = request.into_inner().report_interval.unwrap_or_default();
        // A negative one is no wish at all.
        let interval = Duration::try_from(wished).unwrap_or_default();
        loop {
            out.send(self.0.report()).await?;
            sleep(interval.max(INTERVAL_MIN)).await;
        }
    }
}
