// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0

import PackageDescription

// MARK: - Settings

/// All targets of this package: Swift 6, strict imports, warnings are errors.
let plain: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
    .treatWarning("DeprecatedDeclaration", as: .warning),
]

/// Shipped targets: the plain settings, and each use of unsafe memory has to be marked.
let strict: [SwiftSetting] = plain + [.strictMemorySafety()]

/// Targets with only generated code, whose warnings are ignored.
let generated: [SwiftSetting] = [.swiftLanguageMode(.v6)]

/// Programs link the Swift runtime statically, so that one file is a complete installation. Only the link step differs from that of the
/// tests, so that everything is compiled once. Identical code is folded, no program exports symbols, and relocations are packed (needs
/// glibc 2.36).
let runtimeInside: [LinkerSetting] = [
    .unsafeFlags([
        "-static-stdlib", "-use-ld=lld", "-Xlinker", "--icf=all", "-Xlinker", "--no-export-dynamic",
        "-Xlinker", "-z", "-Xlinker", "pack-relative-relocs",
    ])
]

/// For the gate, which runs on hosts that may have only a kernel and a runtime.
let standalone: [LinkerSetting] = [
    .unsafeFlags(["-static-executable", "-use-ld=lld", "-Xlinker", "--icf=all"])
]

/// Statically linked runtime, for programs that use FoundationEssentials.
let selfContained: [LinkerSetting] =
    runtimeInside + [
        .linkedLibrary("_FoundationCShims"),
        .linkedLibrary("_FoundationCollections"),
        .linkedLibrary("swiftSynchronization"),
    ]

// MARK: - Packages

let productDependencies: [Package.Dependency] = [
    .package(url: "https://github.com/apple/swift-argument-parser.git", exact: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log.git", exact: "1.16.2"),
    .package(url: "https://github.com/apple/swift-nio.git", exact: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-ssl.git", exact: "2.37.6"),
    // Without default traits, which would link all of Foundation.
    .package(url: "https://github.com/apple/swift-protobuf.git", exact: "1.39.0", traits: []),
    .package(url: "https://github.com/grpc/grpc-swift-2.git", exact: "2.4.3"),
    .package(url: "https://github.com/grpc/grpc-swift-nio-transport.git", exact: "2.9.2"),
    .package(url: "https://github.com/grpc/grpc-swift-protobuf.git", exact: "2.4.1"),
    .package(url: "https://github.com/swift-server/async-http-client.git", exact: "1.37.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", exact: "2.13.0"),

    // Transitive dependencies, listed to pin their exact versions and to disable their traits.
    .package(url: "https://github.com/apple/swift-algorithms.git", exact: "1.2.1"),
    .package(url: "https://github.com/apple/swift-asn1.git", exact: "1.7.4"),
    .package(url: "https://github.com/apple/swift-async-algorithms.git", exact: "1.1.4", traits: []),
    .package(url: "https://github.com/apple/swift-atomics.git", exact: "1.3.0"),
    .package(url: "https://github.com/apple/swift-certificates.git", exact: "1.21.1"),
    .package(url: "https://github.com/apple/swift-collections.git", exact: "1.6.0", traits: []),
    .package(url: "https://github.com/apple/swift-configuration.git", exact: "1.4.0", traits: []),
    .package(url: "https://github.com/apple/swift-crypto.git", exact: "4.5.2"),
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

/// For the tests of the manifests. No program reads YAML.
let testingDependencies: [Package.Dependency] = [.package(url: "https://github.com/jpsim/Yams.git", exact: "6.2.2")]

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
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

// MARK: - Targets: hack/check-layers enforces the rule of each target's folder

/// Pure: no I/O, no clock, no log.
func model(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, path: "Sources/Model/\(name)", swiftSettings: strict)
}

/// Thin: one interface of the kernel, or one wire protocol.
func system(
    _ name: String, _ dependencies: [Target.Dependency] = [], _ settings: [SwiftSetting] = strict, links library: String? = nil
) -> Target {
    .target(
        name: name, dependencies: dependencies, path: "Sources/System/\(name)", swiftSettings: settings,
        linkerSettings: library.map { [.linkedLibrary($0)] } ?? [])
}

/// Decides with models, and acts with systems.
func service(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, path: "Sources/Services/\(name)", swiftSettings: strict)
}

/// Only arguments and wiring.
func program(_ name: String, _ dependencies: [Target.Dependency], _ linking: [LinkerSetting] = selfContained) -> Target {
    .executableTarget(
        name: name, dependencies: dependencies, path: "Sources/Programs/\(name)", swiftSettings: strict, linkerSettings: linking)
}

/// Never linked into shipped programs.
func testing(
    _ name: String, _ dependencies: [Target.Dependency] = [], _ settings: [SwiftSetting] = plain, _ linking: [LinkerSetting] = []
) -> Target {
    .target(
        name: name, dependencies: dependencies, path: "Sources/Testing/\(name)", swiftSettings: settings, linkerSettings: linking)
}

/// A program for developers, linked with the Testbed.
func tool(
    _ name: String, _ dependencies: [Target.Dependency], _ settings: [SwiftSetting] = plain, _ linking: [LinkerSetting] = selfContained
) -> Target {
    .executableTarget(
        name: name, dependencies: dependencies, path: "Sources/Testing/\(name)", swiftSettings: settings, linkerSettings: linking)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: plain)
}

let productTargets: [Target] = [
    // Model
    // Classes of ASCII characters, hexadecimal text, backoff, and errors of inputs.
    model("Primitives"),
    // IP and hardware addresses; links, routes, rules and neighbours as values.
    model("NetworkModel", ["Primitives"]),
    // A machine as a value, and the catalog of known devices.
    model("Hardware", ["NetworkModel", "Primitives"]),
    // Paths, roles, the exact pairing of accelerators and NICs, sets of pairs, and the expected bandwidth.
    model("Topology", ["Hardware", "NetworkModel", "Primitives"]),
    // Types and limits of resource.k8s.io.
    model("ResourceAPI", ["Primitives"]),
    // The configuration of a network device in a claim: decoding, merging, problems.
    model("ClaimConfig", ["NetworkModel", "Primitives", "ResourceAPI"]),
    // A machine and its pairing -> attributes, devices, conditions, and the slices to write.
    model("SliceModel", ["Hardware", "NetworkModel", "Primitives", "ResourceAPI", "Topology"]),
    // Plans and states of claims: formats, versions, strict decoding.
    model("JournalModel", ["NetworkModel", "Primitives", "ResourceAPI"]),
    // A plan -> a specification of the Container Device Interface (CDI).
    model("CDI", ["JournalModel", "Primitives"]),
    // A claim -> a plan.
    model("ClaimPlanning", ["CDI", "ClaimConfig", "Hardware", "JournalModel", "NetworkModel", "ResourceAPI", "Topology"]),
    // Documents, pictures and advice for users and scripts; simulations of many nodes.
    model("Inspection", ["ClaimConfig", "Hardware", "Primitives", "ResourceAPI", "SliceModel", "Topology"]),
    // Command lines that have only options.
    model("CommandOptions"),

    // System
    // The parts of the C library and the kernel that Swift cannot import.
    system("CLinux"),
    system("CPCI", links: "pci"),
    // Opens libibverbs at run time: a node without RDMA user space still starts.
    system("CVerbs"),
    system("CNUMA", links: "numa"),
    // Descriptors, files, sockets, and threads in other namespaces.
    system("Linux", ["CLinux", "NetworkModel", "Primitives"]),
    // Codecs and sockets of rtnetlink, ethtool, RDMA and device events.
    system("Netlink", ["CLinux", "Linux", "NetworkModel", "Primitives"]),
    // The Node Resource Interface: ttrpc, two connections over one socket, the plugin's session.
    system("NRI"),
    system("KubeletAPI", [grpc, grpcProtobuf, protobuf], generated),
    // A client of the API server.
    system("Kubernetes", ["Primitives", "ResourceAPI", httpClient, nioCore, nioHTTP, nioSSL]),
    // Plans and states of claims as crash-safe files, through which the two daemons exchange state.
    system("Journal", ["JournalModel", "Linux", "NetworkModel"]),
    // The requests between the daemons and the gate, and their clients.
    system("ControlProtocol", ["Linux", "Primitives"]),

    // Services
    // A host or a captured tree -> a machine.
    service("Discovery", ["CNUMA", "CPCI", "CVerbs", "Hardware", "Linux", "Netlink", "NetworkModel", "Primitives", "Topology", logging]),
    // Moves interfaces between the host and a pod.
    service("PodNetwork", ["CLinux", "JournalModel", "Linux", "Netlink", "NetworkModel", "Primitives"]),
    // Events of the runtime and requests of the gate -> attach, detach, refuse: the daemon nearside-nri.
    service(
        "Attachment",
        [
            "CDI", "CLinux", "ControlProtocol", "Journal", "JournalModel", "Linux", "NRI", "Netlink", "NetworkModel", "PodNetwork",
            "Primitives", "ResourceAPI", logging,
        ]),
    // A claim -> plan and journal, and the release.
    service(
        "ClaimPreparation",
        [
            "ClaimPlanning", "ControlProtocol", "Hardware", "Journal", "JournalModel", "Kubernetes", "Linux", "Netlink", "NetworkModel",
            "Primitives", "ResourceAPI", "Topology", logging,
        ]),
    // Reconciles slices at the API server.
    service("SlicePublisher", ["Kubernetes", "Linux", "Primitives", "ResourceAPI", "SliceModel", logging]),
    // The kubelet's side: registration, DRA v1 and v1beta1.
    service(
        "KubeletPlugin",
        [
            "ClaimPlanning", "ClaimPreparation", "JournalModel", "KubeletAPI", "Linux", "Primitives", grpc, grpcTransport,
            lifecycle, logging, nioCore, nioPosix, protobuf,
        ]),
    // The daemon nearside-node.
    service(
        "Node",
        [
            "ClaimPlanning", "ClaimPreparation", "ControlProtocol", "Discovery", "Hardware", "Journal", "JournalModel", "KubeletPlugin",
            "Kubernetes", "Linux", "Netlink", "NetworkModel", "Primitives", "ResourceAPI", "SliceModel", "SlicePublisher", "Topology",
            httpClient, lifecycle, logging, nioCore, nioHTTP, nioPosix, unixSignals,
        ]),

    // Programs
    program(
        "nearside",
        [
            "ClaimConfig", "Discovery", "Hardware", "Inspection", "Linux", "Primitives", "ResourceAPI", "SliceModel", "Topology",
            argumentParser,
        ]),
    program(
        "nearside-node",
        [
            "ClaimConfig", "CommandOptions", "Discovery", "KubeletPlugin", "Kubernetes", "Linux", "NetworkModel", "Node", "Primitives",
            "ResourceAPI", "SliceModel", "Topology", logging,
        ]),
    program("nearside-nri", ["Attachment", "CommandOptions", "Linux", "NetworkModel", "Primitives", logging]),
    program("nearside-gate", ["ControlProtocol", "Linux", "Primitives"], standalone),
]

let testingTargets: [Target] = [
    // A gRPC client on libgrpc, independent of the product's implementation: the kubelet in the tests.
    testing("CGRPC", [], plain, [.linkedLibrary("grpc"), .linkedLibrary("gpr")]),
    testing("NRIMessages", [protobuf], generated),
    testing("CRIMessages", [protobuf], generated),
    // An API server, a kubelet, a runtime and machines: for tests and the demo.
    testing(
        "Testbed",
        [
            "CGRPC", "CRIMessages", "Hardware", "Inspection", "KubeletAPI", "Linux", "NRI", "NRIMessages", "Netlink", "NetworkModel",
            "ResourceAPI",
            nioCore, nioHTTP, nioPosix, nioSSL, protobuf,
        ]),
    tool("nearside-demo", ["Hardware", "Inspection", "KubeletAPI", "Linux", "ResourceAPI", "Testbed", "Topology", argumentParser]),
    tool(
        "nearside-bench",
        [
            "Discovery", "Hardware", "Inspection", "Kubernetes", "Linux", "NRIMessages", "Netlink", "NetworkModel", "Primitives",
            "ResourceAPI", "SliceModel", "SlicePublisher", "Testbed", "Topology", httpClient, logging,
        ]),

    // Tests, one target for each tested target, and for the whole system
    tests("HardwareTests", ["Discovery", "Hardware", "Linux", "NetworkModel", "Primitives", "ResourceAPI", "Testbed"]),
    tests(
        "TopologyTests",
        [
            "Discovery", "Hardware", "Inspection", "Linux", "NetworkModel", "Primitives", "ResourceAPI", "Testbed", "Topology",
        ], exclude: ["Golden"]),
    tests("CommandOptionsTests", ["CommandOptions"]),
    tests("PrimitivesTests", ["Primitives"]),
    tests("ResourceAPITests", ["ResourceAPI"]),
    tests("ClaimConfigTests", ["ClaimConfig", "Inspection", "Linux", "NetworkModel", "Primitives", "ResourceAPI", "Testbed"]),
    tests("SliceModelTests", ["Hardware", "Inspection", "NetworkModel", "Primitives", "ResourceAPI", "SliceModel", "Testbed", "Topology"]),
    tests(
        "ClaimPlanningTests",
        [
            "CDI", "ClaimConfig", "ClaimPlanning", "Hardware", "Inspection", "JournalModel", "NetworkModel", "Primitives", "ResourceAPI",
            "SliceModel",
            "Testbed", "Topology",
        ]),
    tests(
        "InspectionTests",
        ["Hardware", "Inspection", "Linux", "NetworkModel", "Primitives", "ResourceAPI", "SliceModel", "Testbed", "Topology"]),
    tests("LinuxTests", ["Linux"]),
    tests("NetlinkTests", ["Linux", "Netlink", "NetworkModel", "Testbed"], exclude: ["Golden"]),
    tests("NRITests", ["ControlProtocol", "NRI", "NRIMessages", "Testbed", protobuf]),
    tests("KubernetesTests", ["Kubernetes", "Primitives", "ResourceAPI", "Testbed", httpClient]),
    // Includes the tests of JournalModel.
    tests(
        "JournalTests",
        [
            "Attachment", "CDI", "Journal", "JournalModel", "Linux", "Netlink", "NetworkModel", "Testbed",
        ], exclude: ["Golden"]),
    tests("ClaimPreparationTests", ["ClaimPreparation", "Hardware", "Linux", "Testbed"]),
    tests("ControlProtocolTests", ["ControlProtocol", "Inspection", "Linux", "Testbed"]),
    tests(
        "DiscoveryTests",
        ["Discovery", "Hardware", "Inspection", "Linux", "Netlink", "NetworkModel", "Primitives", "Testbed", "Topology", logging]),
    tests("PodNetworkTests", ["JournalModel", "Linux", "Netlink", "NetworkModel", "PodNetwork", "Testbed"]),
    tests(
        "AttachmentTests",
        [
            "Attachment", "CDI", "Hardware", "Inspection", "JournalModel", "Linux", "NetworkModel", "PodNetwork", "Primitives", "Testbed",
            logging,
        ]),
    tests(
        "SlicePublisherTests",
        [
            "Hardware", "Kubernetes", "ResourceAPI", "SliceModel", "SlicePublisher", "Testbed", "Topology", httpClient, logging,
        ]),
    // Includes the tests of KubeletAPI.
    tests("KubeletPluginTests", ["KubeletAPI", "Testbed", protobuf]),
    // The programs as processes, with a kubelet, a runtime and an API server of the Testbed.
    tests(
        "ProgramTests",
        [
            "CLinux", "ClaimPlanning", "ControlProtocol", "Hardware", "Inspection", "Journal", "JournalModel", "KubeletAPI",
            "KubeletPlugin", "Linux",
            "NRI", "NRIMessages", "Netlink", "NetworkModel", "PodNetwork", "Primitives", "ResourceAPI", "SliceModel", "Testbed", protobuf,
        ]),
    // The daemons under a real container runtime.
    tests("RuntimeTests", ["Hardware", "Inspection", "KubeletAPI", "Linux", "ResourceAPI", "Testbed"]),
    // In the virtual machine of hack/testbed/vm only.
    tests(
        "VirtualMachineTests",
        [
            "Attachment", "ClaimPlanning", "ControlProtocol", "Discovery", "Hardware", "Journal", "JournalModel", "Linux", "NRIMessages",
            "Netlink", "NetworkModel", "PodNetwork", "ResourceAPI", "SliceModel", "Testbed", "Topology", logging,
        ]),
    tests("ManifestTests", ["ClaimConfig", "ResourceAPI", "Testbed", yams]),
]

// MARK: Fuzzing (hack/fuzz): never part of a usual build

let fuzzer: [Target] =
    Context.environment["NEARSIDE_FUZZER"] == nil
    ? []
    : [
        tool(
            "nearside-fuzz",
            ["ClaimConfig", "Journal", "Linux", "NRI", "Netlink", "NetworkModel", "Primitives", "ResourceAPI", "Topology"],
            [.swiftLanguageMode(.v6)], [.unsafeFlags(["-sanitize=fuzzer,address", "-use-ld=lld"])])
    ]

// MARK: - The package: with NEARSIDE_PRODUCT in the environment (hack/build sets it) the four programs alone, which need neither
// libgrpc nor Yams

let isProductAlone = Context.environment["NEARSIDE_PRODUCT"] != nil

let package = Package(
    name: "nearside", dependencies: productDependencies + (isProductAlone ? [] : testingDependencies),
    targets: productTargets + (isProductAlone ? [] : testingTargets + fuzzer))
