// SPDX-License-Identifier: Apache-2.0

import ClaimPlanning
import Hardware
import KubeletAPI
import Linux
import ResourceAPI
import Testbed
import Testing

/// Claims of hostile authors, with the real daemons.
@Suite(.serialized, .enabled(if: Place.canUseNamespaces, "\(Place.rootReason)"))
struct HostileClaimTests {
    /// Adds a claim for a NIC, with these texts as parameters of drivers.
    private func addClaim(
        _ name: String, _ configs: [(source: String, driver: String, parameters: String)], device: String, pool: String? = nil,
        to node: TestNode
    ) {
        let entries = configs.map { #"{"source":"\#($0.source)","opaque":{"driver":"\#($0.driver)","parameters":\#($0.parameters)}}"# }
        let text = #"""
            {"apiVersion":"resource.k8s.io/v1","kind":"ResourceClaim","metadata":{"name":"\#(name)","namespace":"default","uid":"uid-\#(name)"},
             "spec":{"devices":{"config":[\#(entries.joined(separator: ","))]}},
             "status":{"allocation":{"devices":{"results":[{"request":"nic","driver":"\#(node.options.driver)",
              "pool":"\#(pool ?? node.options.node)","device":"\#(device)"}],"config":[\#(entries.joined(separator: ","))]}},
              "reservedFor":[{"resource":"pods","name":"pod-\#(name)","uid":"pod-\#(name)"}]}}
            """#
        node.api.answer("resourceclaims/default", name, with: Array(text.utf8))
    }

    private static let nested =
        String(repeating: #"{"a":"#, count: 500) + "[" + String(repeating: "1,", count: 3350) + "1]" + String(repeating: "}", count: 500)

    @Test
    func `32 configurations of nested JSON for another driver delay no claim`() throws {
        let node = try TestNode.serving()
        defer { node.removeAllPods() }
        let other = Array(repeating: (source: "FromClaim", driver: "other.example.com", parameters: Self.nested), count: 32)
        addClaim("nested", other, device: "pci-0000-0c-00-0", to: node)
        addClaim("good", [], device: "pci-0000-12-00-0", to: node)
        #expect(try node.prepare("nested").map(\.deviceName) == ["pci-0000-0c-00-0"])
        let start = ContinuousClock.now
        #expect(try node.prepare("good").map(\.deviceName) == ["pci-0000-12-00-0"])
        #expect(ContinuousClock.now - start < .seconds(1))
        for name in ["nested", "good"] { try node.unprepare(name) }
    }

    @Test(arguments: ["1e999", #""\ud800""#, String(repeating: "[", count: 5000) + String(repeating: "]", count: 5000)])
    func `parameters of another driver that no value type can represent do not prevent the preparation`(parameters: String) throws {
        let node = try TestNode.serving()
        defer { node.removeAllPods() }
        addClaim("odd", [("FromClaim", "other.example.com", parameters)], device: "pci-0000-0c-00-0", to: node)
        #expect(try node.prepare("odd").map(\.deviceName) == ["pci-0000-0c-00-0"])
        try node.unprepare("odd")
    }

    @Test
    func `an annotation by a claim's author does not change the path of the metadata file in the container`() throws {
        var options = TestNode.Options(
            programs: Place.programs, machine: try #require(try MachineDescription.embedded("hgx-a100")).machine)
        options.nodeArguments = ["--device-metadata"]
        let node = try TestNode(options)
        defer { node.removeAllPods() }
        try node.startInjector()
        try node.startNode()
        try node.addClaim("a")
        var claim = try node.api.claim("a")
        claim.metadata.name = "evil"
        claim.metadata.uid = "uid-evil"
        claim.metadata.annotations = ["resource.kubernetes.io/pod-claim-name": "../../../../../../usr/local/lib"]
        claim.metadata.ownerReferences = [OwnerReference(apiVersion: "v1", kind: "Pod", name: "p", uid: "pod-1")]
        try node.api.add("resourceclaims/default", claim)
        try node.prepare("evil")
        let files = try Files.list(node.scratch("cdi")).map { try Files.readText("\(node.scratch("cdi"))/\($0)") }
        #expect(files.count == 1 && files.allSatisfy { !$0.contains("..") }, "\(files)")
        #expect(files.first?.contains("/var/run/kubernetes.io/dra-device-attributes/resourceclaims/evil/nic/") == true, "\(files)")
        try node.unprepare("evil")
    }

    @Test
    func `a claim with 32 configurations full of unknown fields is refused in less than 3 KiB`() throws {
        let node = try TestNode.serving()
        defer { node.removeAllPods() }
        let fields = (0..<1100).map { #""f\#($0)":0"# }.joined(separator: ",")
        let configs = Array(repeating: (source: "FromClaim", driver: node.options.driver, parameters: "{\(fields)}"), count: 32)
        addClaim("wordy", configs, device: "pci-0000-0c-00-0", to: node)
        let text = try node.expectRefusal("wordy", .invalid)
        #expect(text.contains(": f0: ") && text.hasSuffix("more"), "\(text)")
        #expect(text.utf8.count < 3072)
    }

    @Test
    func `500 addresses are refused when the claim is prepared, and the next claim is prepared`() throws {
        let node = try TestNode.serving()
        defer { node.removeAllPods() }
        let addresses = Array(repeating: #""a::1/64""#, count: 500).joined(separator: ",")
        addClaim(
            "evil", [("FromClaim", node.options.driver, #"{"interface":{"addresses":[\#(addresses)]}}"#)], device: "pci-0000-0c-00-0",
            to: node)
        #expect(try node.expectRefusal("evil", .invalid).contains(": interface.addresses: "))
        try node.addClaim("good")
        try node.prepare("good")
        try node.unprepare("good")
    }

    @Test
    func `a privileged setting is valid from the class, and from a claim only if the operator allows it`() throws {
        let parameters = #"{"interface":{"name":"net1","hardwareAddr":"02:00:00:00:00:77"}}"#
        for (arguments, source, isRight) in [
            ([], "FromClaim", false), ([], "FromClass", true), (["--allow-claims", "interface.hardwareAddr"], "FromClaim", true),
            (["--allow-claims", "sriov.vlan"], "FromClaim", false),
        ] {
            var options = TestNode.Options(
                programs: Place.programs, machine: try #require(try MachineDescription.embedded("hgx-a100")).machine)
            options.nodeArguments = arguments
            let node = try TestNode(options)
            defer { node.removeAllPods() }
            try node.startInjector()
            try node.startNode()
            addClaim("mac", [(source, node.options.driver, parameters)], device: "pci-0000-0c-00-0", to: node)
            if isRight {
                try node.prepare("mac")
                let pod = try node.makePod("p", uid: "pod-mac")
                try node.runtime?.run(pod)
                let link = try ChildProcess.run("/sbin/ip", ["link", "show", "net1"], in: try node.namespace(of: pod)).output
                #expect(link.contains("02:00:00:00:00:77"), "\(link)")
                try node.runtime?.stop(pod)
                try node.unprepare("mac")
            } else {
                #expect(try node.expectRefusal("mac", .invalid).contains("--allow-claims=interface.hardwareAddr"))
            }
        }
    }

    @Test
    func `a claim whose allocation names another node's pool is refused`() throws {
        let node = try TestNode.serving()
        defer { node.removeAllPods() }
        // This node has a device of the same name, and another claim has it: an accepted pool would hide that.
        try node.addClaim("holder", devices: ["pci-0000-0c-00-0"])
        try node.prepare("holder")
        addClaim("forged", [], device: "pci-0000-0c-00-0", pool: "another-node", to: node)
        #expect(try node.expectRefusal("forged", .invalid).contains(#""another-node""#))
        try node.unprepare("holder")
    }

    @Test
    func `nearside-node does not start with an unknown field in --allow-claims`() throws {
        let ended = try ChildProcess.run("\(Place.programs)/nearside-node", ["--node-name", "n", "--allow-claims", "interface.mtu"])
        #expect(ended.status != 0 && ended.output.contains("rdma.management"), "\(ended.output)")
    }
}
