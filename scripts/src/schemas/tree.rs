//! Schemas that are tried, and the packages that hold them.

use super::package::Package;

/// Schemas that are compiled together.
pub struct Tree {
    pub name: &'static str,
    pub mounts: &'static [Mount],
    /// Folders below the include folder whose files are compiled; empty for all.
    pub compiled: &'static [&'static str],
    /// Files that are left out, by a part of their path.
    pub left_out: &'static [&'static str],
    /// File and full name of a method whose custom options are read through reflection.
    pub described: Option<(&'static str, &'static str)>,
    /// Compiles fast enough for every test run.
    pub is_small: bool,
}

/// Part of a package, and its place in the include folder.
pub struct Mount {
    pub package: Package,
    /// Folder in the package; empty for the whole.
    pub from: &'static str,
    /// Folder below the include folder; empty for itself.
    pub to: &'static str,
}

const fn mount(package: Package, from: &'static str, to: &'static str) -> Mount {
    Mount { package, from, to }
}

const COMMON: Package = Package::Pip("googleapis-common-protos==1.76.0");
const ENVOY: Package = Package::Npm("@grpc/grpc-js-xds@1.14.1");
const GRPC_JS: Package = Package::Npm("@grpc/grpc-js@1.14.7");
const ETCD: Package = Package::Go("go.etcd.io/etcd/api/v3@v3.7.3");
const OPENTELEMETRY: Package = Package::Crate("opentelemetry-proto@0.27.0");
const TEMPORAL: Package = Package::Crate("temporalio-protos@0.10.2");

/// Every tree, the small ones first.
pub const TREES: &[Tree] = &[
    Tree {
        name: "googleapis-common-protos",
        mounts: &[mount(COMMON, "", "")],
        compiled: &["google"],
        left_out: &[],
        described: None,
        is_small: true,
    },
    Tree {
        name: "grpc",
        mounts: &[
            mount(GRPC_JS, "proto", ""),
            mount(GRPC_JS, "proto/xds", ""),
            mount(GRPC_JS, "proto/protoc-gen-validate", ""),
            mount(Package::Crate("tonic-health@0.14.2"), "proto", "health"),
            mount(
                Package::Crate("tonic-reflection@0.14.2"),
                "proto",
                "reflection",
            ),
        ],
        compiled: &["channelz.proto", "xds", "health", "reflection"],
        left_out: &["xds/xds"],
        described: None,
        is_small: true,
    },
    Tree {
        name: "opentelemetry",
        mounts: &[mount(OPENTELEMETRY, "src/proto/opentelemetry-proto", "")],
        compiled: &["opentelemetry"],
        left_out: &[],
        described: None,
        is_small: true,
    },
    Tree {
        name: "etcd",
        mounts: &[
            // Its files call each other by their bare names.
            mount(ETCD, "etcdserverpb", ""),
            mount(ETCD, "authpb", "etcd/api/authpb"),
            mount(ETCD, "membershippb", "etcd/api/membershippb"),
            mount(ETCD, "mvccpb", "etcd/api/mvccpb"),
            mount(ETCD, "versionpb", "etcd/api/versionpb"),
            mount(
                Package::Go("github.com/grpc-ecosystem/grpc-gateway/v2@v2.33.0"),
                "protoc-gen-openapiv2",
                "protoc-gen-openapiv2",
            ),
            mount(COMMON, "google/api", "google/api"),
        ],
        compiled: &[
            "etcd",
            "etcdserver.proto",
            "raft_internal.proto",
            "rpc.proto",
        ],
        left_out: &[],
        described: Some(("rpc.proto", "etcdserverpb.KV.Range")),
        is_small: true,
    },
    Tree {
        name: "containerd",
        mounts: &[
            mount(
                Package::Go("github.com/containerd/containerd/api@v1.12.0"),
                "",
                "",
            ),
            mount(COMMON, "google/rpc", "google/rpc"),
        ],
        compiled: &["events", "runtime", "services", "types"],
        left_out: &[],
        described: None,
        is_small: true,
    },
    Tree {
        name: "kubernetes-cri",
        mounts: &[mount(Package::Go("k8s.io/cri-api@v0.37.2"), "pkg/apis", "")],
        compiled: &[],
        left_out: &[],
        described: None,
        is_small: true,
    },
    Tree {
        name: "temporal",
        mounts: &[
            mount(TEMPORAL, "protos/api_upstream", ""),
            mount(
                TEMPORAL,
                "protos/protoc-gen-openapiv2",
                "protoc-gen-openapiv2",
            ),
        ],
        compiled: &["temporal"],
        left_out: &[],
        described: None,
        is_small: false,
    },
    Tree {
        name: "envoy",
        mounts: &[
            mount(ENVOY, "deps/envoy-api/envoy", "envoy"),
            mount(ENVOY, "deps/googleapis/google", "google"),
            mount(ENVOY, "deps/xds", ""),
            // The copy in the package is older than what the files need.
            mount(
                Package::Go("github.com/envoyproxy/protoc-gen-validate@v1.3.3"),
                "validate",
                "validate",
            ),
            mount(OPENTELEMETRY, "src/proto/opentelemetry-proto", ""),
            mount(
                Package::Go("github.com/census-instrumentation/opencensus-proto@v0.4.1"),
                "src",
                "",
            ),
            mount(
                Package::Go("github.com/prometheus/client_model@v0.6.3"),
                "",
                "",
            ),
        ],
        compiled: &["envoy"],
        // The package has only some of the files of the second version.
        left_out: &["/v2"],
        described: Some((
            "envoy/service/cluster/v3/cds.proto",
            "envoy.service.cluster.v3.ClusterDiscoveryService.FetchClusters",
        )),
        is_small: false,
    },
];
