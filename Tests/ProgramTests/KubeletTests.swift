// SPDX-License-Identifier: Apache-2.0

import Glibc
import Hardware
import KubeletAPI
import Linux
import ResourceAPI
import SwiftProtobuf
import Testbed
import Testing

/// Actions of a kubelet and an API server against nearside-node.
@Suite(.serialized, .enabled(if: Place.canUseNamespaces, "\(Place.rootReason)"))
struct KubeletTests {
    private func node() throws -> TestNode {
        try TestNode(
            .init(programs: Place.programs, machine: try #require(try MachineDescription.embedded("aws-p4d")).machine))
    }

    private static let prefix = "/k8s.io.kubelet.pkg.apis.dra"

    private func service(_ node: TestNode) throws -> KubeletPeer.Channel {
        try #require(KubeletPeer.Channel(socket: node.scratch("plugins/dra.nearside/dra.sock"), authority: "localhost"))
    }

    @Test
    func `an older kubelet is served in v1beta1`() throws {
        let node = try node()
        try node.startNode()
        var claim = DRAV1Beta1Claim()
        (claim.namespace, claim.name, claim.uid) = ("default", "none", "u")
        var request = DRAV1Beta1NodePrepareResourcesRequest()
        request.claims = [claim]
        let response: DRAV1Beta1NodePrepareResourcesResponse = try service(node).call(
            "\(Self.prefix).v1beta1.DRAPlugin/NodePrepareResources", request)
        #expect(
            response.claims["u"]?.error
                == "claim default/none: read: GET /apis/resource.k8s.io/v1/namespaces/default/resourceclaims/none: 404 NotFound: resourceclaims/default \"none\" not found"
        )
        var release = DRAV1Beta1NodeUnprepareResourcesRequest()
        release.claims = [claim]
        let released: DRAV1Beta1NodeUnprepareResourcesResponse = try service(node).call(
            "\(Self.prefix).v1beta1.DRAPlugin/NodeUnprepareResources", release)
        #expect(released.claims["u"]?.error == "", "a claim that was never prepared is released with success")
    }

    @Test
    func `a claim that was replaced by another one with the same name is refused`() throws {
        let node = try node()
        try node.startNode()
        try node.api.add("resourceclaims/default", ResourceClaim(metadata: Metadata(name: "a", namespace: "default", uid: "new")))
        let error = #expect(throws: KubeletPeer.Failure.self) {
            try node.kubelet?.prepare(namespace: "default", name: "a", uid: "old")
        }
        #expect(error?.details == "claim default/a: read: the UID is old in the kubelet's request and new in the cluster")
    }

    @Test
    func `a request of 3.9 MiB is served, one over 4 MiB is refused, and the next one is served`() throws {
        let node = try node()
        try node.startNode()
        let service = try service(node)
        let method = "\(Self.prefix).v1.DRAPlugin/NodeUnprepareResources"
        var claim = DRAV1Claim()
        claim.uid = "u"
        claim.name = String(repeating: "x", count: 3_900 << 10)
        var request = DRAV1NodeUnprepareResourcesRequest()
        request.claims = [claim]
        let response: DRAV1NodeUnprepareResourcesResponse = try service.call(method, request)
        #expect(response.claims.keys.sorted() == ["u"])
        request.claims[0].name = String(repeating: "x", count: 4_200 << 10)
        let error = #expect(throws: KubeletPeer.Failure.self) {
            let _: DRAV1NodeUnprepareResourcesResponse = try service.call(method, request)
        }
        // The server resets the stream, which a client sees as CANCELLED or RESOURCE_EXHAUSTED.
        #expect(error.map { [1, 8].contains($0.status) } == true)
        request.claims[0].name = "x"
        let _: DRAV1NodeUnprepareResourcesResponse = try service.call(method, request)
    }

    @Test
    func `malformed bytes and unknown methods get an error, not a crash`() throws {
        let node = try node()
        try node.startNode()
        let service = try service(node)
        let malformed = #expect(throws: KubeletPeer.Failure.self) {
            try service.call("\(Self.prefix).v1.DRAPlugin/NodePrepareResources", [0xff, 0xff, 0xff, 0xff])
        }
        #expect(malformed?.status != 0)
        let unknown = #expect(throws: KubeletPeer.Failure.self) { try service.call("\(Self.prefix).v1.DRAPlugin/Other", []) }
        #expect(unknown?.status == 12, "UNIMPLEMENTED")
        #expect(node.nodeDaemon?.isRunning == true)
    }

    @Test
    func `an expired deadline and a vanished kubelet leave the service intact`() throws {
        let node = try node()
        try node.startNode()
        try node.api.add("resourceclaims/default", ResourceClaim(metadata: Metadata(name: "a", namespace: "default", uid: "a")))
        // The API server answers with errors for longer than this kubelet's time-out.
        node.api.inject(.init("GET", "/apis/resource.k8s.io/v1/namespaces", code: 503, times: 3))
        var claim = DRAV1Claim()
        (claim.namespace, claim.name, claim.uid) = ("default", "a", "a")
        var request = DRAV1NodePrepareResourcesRequest()
        request.claims = [claim]
        let error = #expect(throws: KubeletPeer.Failure.self) {
            let _: DRAV1NodePrepareResourcesResponse = try service(node).call(
                "\(Self.prefix).v1.DRAPlugin/NodePrepareResources", request, milliseconds: 50)
        }
        #expect(error?.status == 4, "DEADLINE_EXCEEDED")
        for _ in 0..<5 {
            let socket = try UnixSocket.connect(node.scratch("plugins/dra.nearside/dra.sock"))
            // The beginning of an HTTP/2 connection, followed by its end.
            try UnixSocket.send([UInt8]("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + [0, 0, 0, 4], to: socket)
        }
        let response: DRAV1NodePrepareResourcesResponse = try service(node).call(
            "\(Self.prefix).v1.DRAPlugin/NodePrepareResources", request)
        #expect(response.claims["a"]?.error == "claim default/a: prepare: the claim is not allocated")
    }

    @Test
    func `deleted slices are written again, and then there are no further writes`() throws {
        let node = try node()
        try node.startNode()
        #expect(try eventually { try node.api.hasWholePool() })
        let published = try node.api.slices()
        let first = try #require(published.first)
        #expect(first.metadata.ownerReferences?.first?.uid == "node-uid-testnode")
        #expect(first.spec.nodeName == "testnode")
        try node.api.deleteAllSlices()
        let devices = { (slices: [ResourceSlice]) in
            slices.map { [$0.spec.devices.map { $0.map(\.name) } ?? [], $0.spec.sharedCounters.map { $0.map(\.name) } ?? []] }
        }
        #expect(try eventually { try node.api.hasWholePool() && devices(node.api.slices()) == devices(published) })
        let requests = node.api.requests.count
        usleep(1_500_000)
        #expect(node.api.requests.count == requests, "no change, no request")
    }

    @Test
    func `cut watches, conflicts and server errors end with the desired slices`() throws {
        let node = try node()
        node.api.inject(.init("GET", "/api/v1/nodes", code: 500))
        node.api.inject(.init("POST", "/apis/resource.k8s.io/v1/resourceslices", code: 409))
        node.api.inject(.init("POST", "/apis/resource.k8s.io/v1/resourceslices", code: 429))
        try node.startNode()
        #expect(try eventually { try node.api.hasWholePool() })
        node.api.cutWatches()
        node.api.inject(.init("GET", "/apis/resource.k8s.io/v1/resourceslices", code: 410))
        try node.api.deleteAllSlices()
        #expect(try eventually { try node.api.hasWholePool() }, "\(node.log("node.log"))")
    }

    @Test
    func `over TLS the server is verified, and the token is read for each request`() throws {
        var options = TestNode.Options(
            programs: Place.programs, machine: try #require(try MachineDescription.embedded("aws-p4d")).machine)
        options.isSecure = true
        let node = try TestNode(options)
        try Files.write(node.scratch("token"), "an old token")
        try node.startNode()
        #expect(eventually { node.log("node.log").contains("401 Unauthorized") }, "\(node.log("node.log"))")
        #expect(try node.api.slices().isEmpty)
        try Files.write(node.scratch("token"), "secret-of-the-testbed\n")
        #expect(try eventually { try node.api.hasWholePool() }, "\(node.log("node.log"))")
        #expect(!node.log("node.log").contains("secret-of-the-testbed"), "a token is never printed")
        node.kill(node: SIGTERM)
        // With another certificate authority no request succeeds.
        let requests = node.api.requests.count
        _ = try ChildProcess.run(
            "/usr/bin/openssl",
            [
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=other", "-keyout", "/dev/null", "-out",
                node.scratch("ca.crt"),
            ])
        try node.startNode()
        #expect(eventually { node.log("node.log").contains("Unreachable") }, "\(node.log("node.log"))")
        #expect(node.api.requests.count == requests)
    }

    @Test
    func `a new interface is published, and a deleted one is withdrawn`() throws {
        var options = TestNode.Options(
            programs: Place.programs, machine: try #require(try MachineDescription.embedded("aws-p4d")).machine)
        options.virtualNICs = "vnic"
        let node = try TestNode(options)
        try node.startNode()
        func isPublished() throws -> Bool { try node.api.slices().flatMap { $0.spec.devices ?? [] }.contains { $0.name == "vnic0" } }
        // Counters are in a separate slice, before the devices.
        #expect(try eventually { try node.api.hasWholePool() && node.api.slices().count == 2 }, "\(node.log("node.log"))")
        #expect(try !isPublished())
        _ = try ChildProcess.run("/sbin/ip", ["link", "add", "vnic0", "type", "veth", "peer", "name", "other0"], in: node.host)
        #expect(try eventually { try isPublished() })
        _ = try ChildProcess.run("/sbin/ip", ["link", "del", "vnic0"], in: node.host)
        #expect(try eventually { try !isPublished() })
    }
}
