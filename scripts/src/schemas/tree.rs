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
const TEMPORAL: Package = Package::Crate("temporalio-protos@0.10.2");

/// Every tree, the small ones first.
pub const TREES: &[Tree] = &[
    Tree {
        name: "googleapis-common-protos",
        mounts: &[mount(COMMON, "", "")],
        compiled: &["google"],
        left_out: &[],
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
        is_small: true,
    },
    Tree {
        name: "opentelemetry",
        mounts: &[mount(
            Package::Crate("opentelemetry-proto@0.27.0"),
            "src/proto/opentelemetry-proto",
            "",
        )],
        compiled: &["opentelemetry"],
        left_out: &[],
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
        is_small: true,
    },
    Tree {
        name: "kubernetes-cri",
        mounts: &[mount(Package::Go("k8s.io/cri-api@v0.37.2"), "pkg/apis", "")],
        compiled: &[],
        left_out: &[],
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
        is_small: false,
    },
    Tree {
        name: "envoy",
        mounts: &[
            mount(ENVOY, "deps/envoy-api/envoy", "envoy"),
            mount(ENVOY, "deps/googleapis/google", "google"),
            mount(ENVOY, "deps/xds", ""),
            mount(ENVOY, "deps/protoc-gen-validate/validate", "validate"),
        ],
        compiled: &["envoy"],
        left_out: &[],
        is_small: false,
    },
];
