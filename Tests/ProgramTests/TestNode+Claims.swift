// SPDX-License-Identifier: Apache-2.0

import ClaimPlanning
import Hardware
import KubeletAPI
import Linux
import NRIMessages
import ResourceAPI
import Testbed
import Testing

extension TestNode {
    /// HGX A100 with stand-in interfaces: 8 pairs of one GPU and one NIC.
    static func hgxA100(_ dialect: RuntimePeer.Dialect = .stateChange) throws -> TestNode {
        var options = TestNode.Options(
            programs: Place.programs, machine: try #require(try MachineDescription.embedded("hgx-a100")).machine)
        options.dialect = dialect
        return try TestNode(options)
    }

    /// The same node with both daemons running.
    static func serving() throws -> TestNode {
        let node = try hgxA100()
        try node.startInjector()
        try node.startNode()
        return node
    }

    /// One of its NICs.
    static let nic = "pci-0000-0c-00-0"

    /// A claim that is allocated, reserved for a pod, and sets the name of an interface.
    func addClaim(_ name: String, devices: [String] = [nic], pod: String = "pod-1", interface: String? = "net1") throws {
        let config = interface.map {
            AllocationConfig(
                source: .fromClaim,
                opaque: OpaqueConfig(driver: options.driver, parameters: .object(["interface": .object(["name": .string($0)])])))
        }
        try api.add(
            "resourceclaims/default",
            ResourceClaim(
                metadata: Metadata(name: name, namespace: "default", uid: "uid-\(name)"),
                status: ResourceClaimStatus(
                    allocation: AllocationResult(
                        devices: DeviceAllocation(
                            results: devices.map {
                                AllocatedDevice(request: "nic", driver: options.driver, pool: options.node, device: $0)
                            }, config: config.map { [$0] })),
                    reservedFor: [ConsumerReference(resource: "pods", name: pod, uid: pod)])))
    }

    @discardableResult
    func prepare(_ name: String) throws -> [DRAV1Device] {
        try #require(kubelet).prepare(namespace: "default", name: name, uid: "uid-\(name)")
    }

    /// Expects that Prepare refuses a claim, and an event about the claim with the code as its reason.
    ///
    /// - Returns: the error's text for the kubelet.
    @discardableResult
    func expectRefusal(_ name: String, _ code: ClaimError.Code, sourceLocation: SourceLocation = #_sourceLocation) throws -> String {
        let error = #expect(throws: KubeletPeer.Failure.self, sourceLocation: sourceLocation) { try prepare(name) }
        let isPosted = try eventually { try api.events().contains { $0.reason == code.rawValue && $0.involvedObject.name == name } }
        #expect(isPosted, "\(code): \(error?.details ?? "")", sourceLocation: sourceLocation)
        return error?.details ?? ""
    }

    func unprepare(_ name: String) throws {
        try #require(kubelet).unprepare(namespace: "default", name: name, uid: "uid-\(name)")
    }

    /// Interfaces of a pod with their addresses, as `ip` shows them.
    func interfaces(_ pod: NRIPodSandbox) throws -> String {
        try ChildProcess.run("/sbin/ip", ["-brief", "address"], in: try namespace(of: pod)).output
    }

    /// True for an interface of exactly this name that is up in the pod and has its address in the output of `ip`.
    ///
    /// - Parameter address: the prefix of its IPv4 address, by default that of stand-ins; nil for no address.
    func isAttached(_ name: String, in pod: NRIPodSandbox, address: String? = "10.7") throws -> Bool {
        let text = try ChildProcess.run("/sbin/ip", ["address", "show", "dev", name], in: try namespace(of: pod)).output
        // The beginning is `2: net1@if5: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500`.
        let words = text.split(separator: " ")
        guard words.count > 2, words[1].split(whereSeparator: { "@:".contains($0) }).first == name[...] else { return false }
        return words[2].split { "<,>".contains($0) }.contains("UP") && (address.map { text.contains("inet \($0)") } ?? true)
    }

    /// True for an interface of exactly this name in the pod, in any state.
    func hasInterface(_ name: String, in pod: NRIPodSandbox) throws -> Bool {
        try ChildProcess.run("/sbin/ip", ["link", "show", "dev", name], in: try namespace(of: pod)).status == 0
    }

    /// Checks that the host's network is unchanged at once, and prints the differences.
    func expectUnchanged(since before: String, _ occasion: String = "", at place: SourceLocation = #_sourceLocation) throws {
        let changes = try changes(since: before, within: 0).replacing("\n", with: " | ")
        #expect(changes.isEmpty, "\(occasion) \(changes)", sourceLocation: place)
    }

    /// The peak memory of a process in bytes.
    func peak(of process: Int32) throws -> Int {
        let line = try Files.readText("/proc/\(process)/status").split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        return try #require(line.flatMap { Int($0.filter(\.isNumber)) }) << 10
    }
}
