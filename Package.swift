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
/// differs from that of the tests: everything is compiled once.
let selfContained: [LinkerSetting] = [
    .unsafeFlags(["-static-stdlib"]),
    .linkedLibrary("_FoundationCShims"),
    .linkedLibrary("_FoundationCollections"),
    .linkedLibrary("swiftSynchronization"),
]

// MARK: - Packages

let dependencies: [Package.Dependency] = [
    .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
    // Without its default traits: they would bring in all of Foundation.
    .package(url: "https://github.com/apple/swift-protobuf.git", from: "1.39.0", traits: []),
    .package(url: "https://github.com/grpc/grpc-swift-2.git", from: "2.4.3"),
    .package(url: "https://github.com/grpc/grpc-swift-nio-transport.git", from: "2.9.2"),
    .package(url: "https://github.com/grpc/grpc-swift-protobuf.git", from: "2.4.1"),
    .package(url: "https://github.com/swift-server/async-http-client.git", from: "1.37.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
]

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
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")

// MARK: - Targets, lowest first: a target imports only what stands above it (hack/check-layers)

let targets: [Target] = [
    // MARK: Facts about the machine

    // IP and hardware addresses: parse and print.
    .target(name: "Addressing", swiftSettings: strict),
    // What Swift cannot see of the C library and the kernel.
    .target(name: "CLinux"),
    .target(name: "CPCI", linkerSettings: [.linkedLibrary("pci")]),
    // Opened at run time: a node without RDMA user space still starts.
    .target(name: "CVerbs"),
    .target(name: "CNUMA", linkerSettings: [.linkedLibrary("numa")]),
    // Descriptors, files, sockets, and threads that live in another namespace.
    .target(name: "Linux", dependencies: ["CLinux"], swiftSettings: strict),
    // Message codec and sockets of rtnetlink.
    .target(name: "Netlink", dependencies: ["Addressing", "CLinux", "Linux"], swiftSettings: strict),

    // MARK: Wire protocols

    .target(name: "NRIMessages", dependencies: [protobuf], swiftSettings: generated),
    .target(name: "KubeletAPI", dependencies: [grpc, grpcProtobuf, protobuf], swiftSettings: generated),

    // MARK: Pure: values in, values out

    // A machine as a value, and the catalog of known devices.
    .target(name: "Hardware", swiftSettings: strict),
    // Paths, and the exact pairing of accelerators and NICs.
    .target(name: "Topology", dependencies: ["Hardware"], swiftSettings: strict),

    // MARK: Edges

    // A host or a captured tree, read into a machine.
    .target(
        name: "Discovery", dependencies: ["Addressing", "CNUMA", "CPCI", "CVerbs", "Hardware", "Linux", "Netlink"],
        swiftSettings: strict),
]

let package = Package(name: "nearside", dependencies: dependencies, targets: targets)
