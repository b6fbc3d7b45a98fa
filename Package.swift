// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0

import PackageDescription

// MARK: - Settings

/// Every target of ours: Swift 6, no silent conveniences, and no warnings.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
    .treatWarning("DeprecatedDeclaration", as: .warning),
]

/// Targets that hold only code made by protoc: not ours to warn about.
let generated: [SwiftSetting] = [.swiftLanguageMode(.v6)]

/// Programs carry the Swift runtime inside, so that one file is one installation. Only the link step
/// differs from that of the tests: everything is compiled once. Identical code is folded, and no program
/// exports symbols.
let runtimeInside: [LinkerSetting] = [
    .unsafeFlags([
        "-static-stdlib", "-use-ld=lld", "-Xlinker", "--icf=all", "-Xlinker", "--no-export-dynamic",
    ])
]

/// For the gate, which runs on hosts that may have nothing but a kernel and a runtime.
let standalone: [LinkerSetting] = [
    .unsafeFlags(["-static-executable", "-use-ld=lld", "-Xlinker", "--icf=all"])
]

/// With the runtime inside, for programs that use FoundationEssentials.
let selfContained: [LinkerSetting] =
    runtimeInside + [
        .linkedLibrary("_FoundationCShims"),
        .linkedLibrary("_FoundationCollections"),
        .linkedLibrary("swiftSynchronization"),
    ]

// MARK: - Packages

let dependencies: [Package.Dependency] = [
    .package(url: "https://github.com/apple/swift-argument-parser.git", exact: "1.8.2"),
    // Two digests. It is linked anyway: grpc-swift-nio-transport needs swift-certificates, and that needs it.
    .package(url: "https://github.com/apple/swift-crypto.git", exact: "4.5.2"),
    .package(url: "https://github.com/apple/swift-log.git", exact: "1.16.2"),
    .package(url: "https://github.com/apple/swift-nio.git", exact: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-ssl.git", exact: "2.37.6"),
    // For the tests of the manifests: no program reads YAML.
    .package(url: "https://github.com/jpsim/Yams.git", exact: "6.2.2"),
    // Without its default traits: they would bring in all of Foundation.
    .package(url: "https://github.com/apple/swift-protobuf.git", exact: "1.39.0", traits: []),
    .package(url: "https://github.com/grpc/grpc-swift-2.git", exact: "2.4.3"),
    .package(url: "https://github.com/grpc/grpc-swift-nio-transport.git", exact: "2.9.2"),
    .package(url: "https://github.com/grpc/grpc-swift-protobuf.git", exact: "2.4.1"),
    .package(url: "https://github.com/swift-server/async-http-client.git", exact: "1.37.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", exact: "2.13.0"),

    // What those need in turn: named for their exact versions alone, and without traits of our asking.
    .package(url: "https://github.com/apple/swift-algorithms.git", exact: "1.2.1"),
    .package(url: "https://github.com/apple/swift-asn1.git", exact: "1.7.4"),
    .package(url: "https://github.com/apple/swift-async-algorithms.git", exact: "1.1.4", traits: []),
    .package(url: "https://github.com/apple/swift-atomics.git", exact: "1.3.0"),
    .package(url: "https://github.com/apple/swift-certificates.git", exact: "1.21.1"),
    .package(url: "https://github.com/apple/swift-collections.git", exact: "1.6.0", traits: []),
    .package(url: "https://github.com/apple/swift-configuration.git", exact: "1.4.0", traits: []),
    .package(url: "https://github.com/apple/swift-distributed-tracing.git", exact: "1.7.3"),
    .package(url: "https://github.com/apple/swift-http-structured-headers.git", exact: "1.7.0"),
    .package(url: "https://github.com/apple/swift-http-types.git", exact: "1.8.0", traits: []),
    .package(url: "https://github.com/apple/swift-nio-extras.git", exact: "1.35.2"),
    .package(url: "https://github.com/apple/swift-nio-http2.git", exact: "1.46.0"),
    .package(url: "https://github.com/apple/swift-nio-transport-services.git", exact: "1.28.0"),
    .package(url: "https://github.com/apple/swift-numerics.git", exact: "1.1.1"),
    .package(url: "https://github.com/apple/swift-service-context.git", exact: "1.5.1"),
    .package(url: "https://github.com/apple/swift-system.git", exact: "1.8.1"),
]

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let nioHTTP = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let protobuf = Target.Dependency.product(name: "SwiftProtobuf", package: "swift-protobuf")
let grpc = Target.Dependency.product(name: "GRPCCore", package: "grpc-swift-2")
let grpcTransport = Target.Dependency.product(
    name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport")
let grpcProtobuf = Target.Dependency.product(name: "GRPCProtobuf", package: "grpc-swift-protobuf")
let httpClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")

// MARK: - Targets, lowest first: a target imports only what stands above it (hack/check-layers)

let targets: [Target] = [
    // MARK: The kernel and the machine, seen from Swift

    // IP and hardware addresses: parse and print.
    .target(name: "Addressing", swiftSettings: strict),
    // What Swift cannot see of the C library and the kernel.
    .target(name: "CLinux"),
    .target(name: "CPCI", linkerSettings: [.linkedLibrary("pci")]),
    // libibverbs is opened at run time: a node without RDMA user space still starts.
    .target(name: "CVerbs"),
    .target(name: "CNUMA", linkerSettings: [.linkedLibrary("numa")]),
    // Descriptors, files, sockets, and threads that live in another namespace.
    .target(name: "Linux", dependencies: ["CLinux"], swiftSettings: strict),
    // Message codec and sockets of rtnetlink.
    .target(name: "Netlink", dependencies: ["Addressing", "CLinux", "Linux"], swiftSettings: strict),

    // MARK: Wire protocols, without I/O

    .target(name: "KubeletAPI", dependencies: [grpc, grpcProtobuf, protobuf], swiftSettings: generated),
    // Frames and calls of ttrpc, and the wire format of protocol buffers.
    .target(name: "TTRPC", swiftSettings: strict),
    // NRI: two ttrpc connections over one socket, and the plugin's side of it.
    .target(name: "NRI", dependencies: ["TTRPC"], swiftSettings: strict),

    // MARK: Pure: values in, values out

    // A machine as a value, and the catalog of known devices.
    .target(name: "Hardware", dependencies: ["Addressing"], swiftSettings: strict),
    // Paths, roles, the exact pairing of accelerators and NICs, sets of pairs, and what bandwidth to expect.
    .target(name: "Topology", dependencies: ["Addressing", "Hardware"], swiftSettings: strict),
    // Fleets of one machine type, filled with claims.
    .target(name: "Simulation", dependencies: ["Hardware", "Topology"], swiftSettings: strict),
    // Types and limits of resource.k8s.io.
    .target(name: "ResourceAPI", swiftSettings: strict),
    // What users ask of a network device: decoding, merging, problems.
    .target(name: "ClaimConfig", dependencies: ["Addressing", "ResourceAPI"], swiftSettings: strict),

    // MARK: Edges

    // A host or a captured tree, read into a machine.
    .target(
        name: "Discovery",
        dependencies: ["Addressing", "CNUMA", "CPCI", "CVerbs", "Hardware", "Linux", "Netlink", "Topology", logging],
        swiftSettings: strict),
    // Plans and states of claims, as files: where the two daemons meet.
    .target(name: "Journal", dependencies: ["Addressing", "Linux", "Netlink"], swiftSettings: strict),
    // What nearside-nri is asked over its socket, and how to ask it.
    .target(name: "InjectorSocket", dependencies: ["Linux"], swiftSettings: strict),
    // Moves interfaces between the host and a pod.
    .target(
        name: "PodNetwork", dependencies: ["Addressing", "CLinux", "Journal", "Linux", "Netlink"],
        swiftSettings: strict),
    // Container Device Interface: specification files.
    .target(name: "CDI", dependencies: ["InjectorSocket", "Journal", "Linux"], swiftSettings: strict),

    // Client of the API server.
    .target(
        name: "Kubernetes", dependencies: ["ResourceAPI", httpClient, nioCore, nioHTTP, nioSSL], swiftSettings: strict),

    // MARK: What the daemons do

    // A machine and its pairing -> slices, and keeping them so at the API server.
    .target(
        name: "Publishing", dependencies: ["Hardware", "Kubernetes", "ResourceAPI", "Topology", crypto, logging],
        swiftSettings: strict),
    // A claim -> plan, CDI specification and journal; and back.
    .target(
        name: "Preparation",
        dependencies: [
            "Addressing", "CDI", "ClaimConfig", "Hardware", "InjectorSocket", "Journal", "Kubernetes", "Linux", "Netlink", "ResourceAPI",
            "Topology", logging,
        ], swiftSettings: strict),
    // Events of the runtime and questions of the gate -> attach, detach, hold back.
    .target(
        name: "Injection", dependencies: ["Addressing", "CLinux", "Journal", "Linux", "PodNetwork", logging], swiftSettings: strict),

    // The kubelet's side: registration and DRA v1 and v1beta1.
    .target(
        name: "KubeletPlugin",
        dependencies: [
            "Journal", "KubeletAPI", "Linux", "Preparation", crypto, grpc, grpcTransport, lifecycle, logging, nioCore, nioPosix,
            protobuf,
        ], swiftSettings: strict),

    // MARK: Daemons

    .target(
        name: "Node",
        dependencies: [
            "Addressing", "Discovery", "Hardware", "InjectorSocket", "Journal", "KubeletPlugin", "Kubernetes", "Linux", "Netlink",
            "Preparation", "Publishing", "ResourceAPI", "Topology", httpClient, lifecycle, logging, nioCore, nioHTTP, nioPosix,
            unixSignals,
        ], swiftSettings: strict),
    .target(
        name: "Injector",
        dependencies: [
            "Addressing", "CDI", "Injection", "InjectorSocket", "Journal", "Linux", "NRI", "Netlink", "PodNetwork", logging,
        ], swiftSettings: strict),

    // Documents and pictures for people and scripts.
    .target(
        name: "Inspection",
        dependencies: [
            "Addressing", "ClaimConfig", "Discovery", "Hardware", "Linux", "Publishing", "ResourceAPI", "Simulation", "Topology",
        ],
        swiftSettings: strict),

    // The kubelet's side of gRPC through libgrpc, which is not our implementation.
    .target(name: "CGRPC", linkerSettings: [.linkedLibrary("grpc"), .linkedLibrary("gpr")]),
    // Messages of NRI and ttrpc as protoc has them: for a runtime that is not of our making.
    .target(name: "NRIMessages", dependencies: [protobuf], swiftSettings: generated),
    .target(name: "CRIMessages", dependencies: [protobuf], swiftSettings: generated),
    // An API server, a kubelet, a runtime and machines: for tests and the demo.
    .target(
        name: "Testbed",
        dependencies: [
            "Addressing", "CGRPC", "CRIMessages", "Hardware", "KubeletAPI", "Linux", "Netlink", "NRI", "NRIMessages", "ResourceAPI",
            "TTRPC", nioCore,
            nioHTTP, nioPosix, nioSSL, protobuf,
        ], swiftSettings: strict),

    // MARK: Programs

    .executableTarget(
        name: "nearside",
        dependencies: [
            "ClaimConfig", "Discovery", "Hardware", "Inspection", "Linux", "Publishing", "ResourceAPI", "Simulation", "Topology",
            argumentParser,
        ],
        swiftSettings: strict, linkerSettings: selfContained),
    .executableTarget(
        name: "nearside-demo",
        dependencies: [
            "Hardware", "Inspection", "KubeletAPI", "Linux", "NRIMessages", "ResourceAPI", "Testbed", "Topology", argumentParser,
        ],
        swiftSettings: strict, linkerSettings: selfContained),
    .executableTarget(
        name: "nearside-bench",
        dependencies: [
            "Addressing", "Discovery", "Hardware", "Kubernetes", "Linux", "NRIMessages", "Netlink", "Publishing", "ResourceAPI",
            "Simulation", "Testbed", "Topology", httpClient, logging,
        ],
        swiftSettings: strict, linkerSettings: selfContained),
    .executableTarget(
        name: "nearside-node",
        dependencies: [
            "Addressing", "ClaimConfig", "Discovery", "KubeletPlugin", "Kubernetes", "Linux", "Node", "Publishing", "ResourceAPI",
            "Topology",
            argumentParser, logging,
        ], swiftSettings: strict, linkerSettings: selfContained),
    .executableTarget(
        name: "nearside-nri", dependencies: ["Addressing", "Injection", "Injector", "Linux", argumentParser, logging],
        swiftSettings: strict, linkerSettings: selfContained),
    .executableTarget(
        name: "nearside-gate", dependencies: ["InjectorSocket", "Linux"],
        swiftSettings: strict, linkerSettings: standalone),

    // MARK: Tests

    .testTarget(
        name: "MachineTests",
        dependencies: [
            "Addressing", "Discovery", "Hardware", "Inspection", "Linux", "Netlink", "ResourceAPI", "Simulation", "Testbed", "Topology",
            logging,
        ],
        exclude: ["Machines"], swiftSettings: strict),
    .testTarget(
        name: "TopologyTests",
        dependencies: [
            "Addressing", "Discovery", "Hardware", "Inspection", "Linux", "ResourceAPI", "Simulation", "Testbed", "Topology",
        ],
        exclude: ["Golden"], swiftSettings: strict),
    // In the virtual machine of hack/testbed/vm only.
    .testTarget(
        name: "VirtualMachineTests",
        dependencies: [
            "Addressing", "CDI", "Discovery", "Hardware", "Injection", "InjectorSocket", "Journal", "Linux", "NRIMessages", "Netlink",
            "PodNetwork", "Preparation", "Publishing", "ResourceAPI", "Testbed", "Topology", logging,
        ],
        swiftSettings: strict),
    .testTarget(
        name: "WireTests",
        dependencies: [
            "Addressing", "InjectorSocket", "KubeletAPI", "Linux", "NRI", "NRIMessages", "Netlink", "TTRPC", protobuf,
        ], swiftSettings: strict),
    .testTarget(
        name: "ClaimTests",
        dependencies: [
            "Addressing", "CDI", "ClaimConfig", "Hardware", "Inspection", "Journal", "Linux", "Netlink", "Preparation", "Publishing",
            "ResourceAPI", "Simulation", "Testbed", "Topology",
        ], exclude: ["Golden"], swiftSettings: strict),
    .testTarget(
        name: "NodeTests",
        dependencies: [
            "Addressing", "CLinux", "Hardware", "Injection", "Injector", "InjectorSocket", "Journal", "KubeletAPI", "KubeletPlugin",
            "Linux", "NRI", "NRIMessages", "Netlink", "PodNetwork", "Publishing", "ResourceAPI", "Simulation", "TTRPC", "Testbed",
            grpcTransport, logging, protobuf,
        ], swiftSettings: strict),
    .testTarget(
        name: "PublishingTests",
        dependencies: [
            "Hardware", "Inspection", "Kubernetes", "Linux", "Publishing", "ResourceAPI", "Testbed", "Topology", httpClient, logging,
            nioPosix,
        ], swiftSettings: strict),
    .testTarget(
        name: "ManifestTests", dependencies: ["ClaimConfig", "ResourceAPI", "Testbed", yams], swiftSettings: strict),
    .testTarget(
        name: "RuntimeTests", dependencies: ["Hardware", "KubeletAPI", "Linux", "ResourceAPI", "Simulation", "Testbed"],
        swiftSettings: strict),
]

// MARK: Fuzzing (hack/fuzz): never part of a usual build

let fuzzer: [Target] =
    Context.environment["NEARSIDE_FUZZER"] == nil
    ? []
    : [
        .executableTarget(
            name: "nearside-fuzz", dependencies: ["ClaimConfig", "Journal", "Linux", "NRI", "Netlink", "ResourceAPI", "Topology"],
            swiftSettings: [.swiftLanguageMode(.v6)], linkerSettings: [.unsafeFlags(["-sanitize=fuzzer,address", "-use-ld=lld"])])
    ]

let package = Package(name: "nearside", dependencies: dependencies, targets: targets + fuzzer)
