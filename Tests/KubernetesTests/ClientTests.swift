// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import FoundationEssentials
import Kubernetes
import Primitives
import ResourceAPI
import Testbed
import Testing

/// The API client with a real server.
struct ClientTests {
    private func run(_ prepare: (APIServer) throws -> Void = { _ in }, _ body: (APIServer, ResourceClient) async throws -> Void)
        async throws
    {
        let api = try APIServer()
        try prepare(api)
        let http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: try APIEndpoint(url: api.url).configuration())
        let client = ResourceClient(APIClient(endpoint: APIEndpoint(url: api.url), http: http, attemptTimeout: .seconds(5)))
        let outcome: Result<Void, any Error>
        do { outcome = .success(try await body(api, client)) } catch { outcome = .failure(error) }
        try await http.shutdown()
        api.shutDown()
        try outcome.get()
    }

    private func claim() -> ResourceClaim {
        ResourceClaim(
            metadata: Metadata(name: "a", namespace: "default", uid: "u"),
            status: ResourceClaimStatus(
                allocation: AllocationResult(
                    devices: DeviceAllocation(
                        results: ["d0", "d1"].map { AllocatedDevice(request: "r", driver: "dra.nearside", pool: "n", device: $0) }))))
    }

    private func status(_ device: String, reason: String = "Attached") -> AllocatedDeviceStatus {
        AllocatedDeviceStatus(
            driver: "dra.nearside", pool: "n", device: device,
            conditions: [
                Condition(type: "Ready", status: "True", reason: reason, message: "", lastTransitionTime: "2026-01-01T00:00:00Z")
            ], networkData: NetworkDeviceData(interfaceName: "net0", ips: ["10.0.0.1/24"], hardwareAddress: "02:00:00:00:00:01"))
    }

    @Test
    func `a token of one node cannot write another node's slices and statuses, by the Testbed's rules as by the policies`() async throws {
        var shared = claim()
        shared.status?.allocation?.devices.results?.append(AllocatedDevice(request: "r", driver: "other", pool: "n", device: "x"))
        shared.status?.allocation?.devices.results?.append(AllocatedDevice(request: "r", driver: "dra.nearside", pool: "far", device: "y"))
        try await run({ try $0.add("resourceclaims/default", shared) }) { api, client in
            func devices() throws -> [String] { (try api.claim("a").status?.devices ?? []).map(\.device) }
            let vendor = AllocatedDeviceStatus(driver: "other", pool: "n", device: "x")
            try await client.apply([vendor], to: shared.metadata, driver: "other")
            api.restrict(to: AdmissionRules(driver: "dra.nearside", node: "n"))
            try await client.apply([status("d0")], to: shared.metadata, driver: "dra.nearside")
            func expectForbidden(_ body: () async throws -> Void) async {
                let error = await #expect(throws: APIError.self) { try await body() }
                #expect(error?.isForbidden == true, "\(String(describing: error))")
            }
            await expectForbidden { try await client.apply([], to: shared.metadata, driver: "other") }
            await expectForbidden {
                let far = AllocatedDeviceStatus(driver: "dra.nearside", pool: "far", device: "y")
                try await client.apply([status("d0"), far], to: shared.metadata, driver: "dra.nearside")
            }
            #expect(try devices() == ["x", "d0"])
            for (driver, node, pool) in [("other", "n", "n"), ("dra.nearside", "far", "n"), ("dra.nearside", "n", "far")] {
                let slice = ResourceSlice(
                    metadata: Metadata(name: "s"),
                    spec: ResourceSliceSpec(
                        driver: driver, pool: ResourcePool(name: pool, generation: 1, resourceSliceCount: 1), nodeName: node, devices: []))
                await expectForbidden { _ = try await client.create(slice) }
                try api.add("resourceslices", slice)
                await expectForbidden { _ = try await client.replace(slice) }
                await expectForbidden { try await client.delete(slice) }
                try api.remove("resourceslices", "s")
            }
            let own = try await client.create(
                ResourceSlice(
                    metadata: Metadata(name: "s"),
                    spec: ResourceSliceSpec(
                        driver: "dra.nearside", pool: ResourcePool(name: "n", generation: 1, resourceSliceCount: 1), nodeName: "n",
                        devices: [])))
            try await client.delete(own)
            #expect(try api.slices().isEmpty)
        }
    }

    @Test
    func `the status of devices is applied, replaced and removed, and other drivers' entries stay`() async throws {
        var shared = claim()
        shared.status?.allocation?.devices.results?.append(AllocatedDevice(request: "r", driver: "other", pool: "n", device: "x"))
        shared.status?.devices = [AllocatedDeviceStatus(driver: "other", pool: "n", device: "x")]
        try await run({ try $0.add("resourceclaims/default", shared) }) { api, client in
            func devices() throws -> [String] { (try api.claim("a").status?.devices ?? []).map(\.device) }
            try await client.apply([status("d0"), status("d1")], to: shared.metadata, driver: "dra.nearside")
            #expect(try devices() == ["x", "d0", "d1"])
            try await client.apply([status("d1")], to: shared.metadata, driver: "dra.nearside")
            #expect(try devices() == ["x", "d1"])
            try await client.apply([], to: shared.metadata, driver: "dra.nearside")
            #expect(try devices() == ["x"])
        }
    }

    @Test
    func `an invalid status is refused with the field, the reason and the remedy`() async throws {
        let claim = claim()
        try await run({ try $0.add("resourceclaims/default", claim) }) { api, client in
            let foreign = await #expect(throws: APIError.self) {
                try await client.apply([status("d7")], to: claim.metadata, driver: "dra.nearside")
            }
            #expect(foreign?.isInvalid == true && foreign?.causes.first?.field == "status.devices[0]")
            let empty = await #expect(throws: APIError.self) {
                try await client.apply([status("d0", reason: "")], to: claim.metadata, driver: "dra.nearside")
            }
            #expect(empty?.causes.first?.field == "status.devices[0].conditions.reason")
            var replaced = claim.metadata
            replaced.uid = "another"
            let conflict = await #expect(throws: APIError.self) { try await client.apply([], to: replaced, driver: "dra.nearside") }
            #expect(conflict?.isConflict == true)
            api.denyStatus()
            let denied = await #expect(throws: APIError.self) {
                try await client.apply([status("d0")], to: claim.metadata, driver: "dra.nearside")
            }
            #expect(denied?.status == 422 && denied?.isForbidden == true)
            #expect(denied?.description.contains("manifests/rbac.yaml has the required rights") == true)
        }
    }

    @Test
    func `a requested delay of the server is respected, and a call after its time-out has the server's message`() async throws {
        let claim = claim()
        try await run({ try $0.add("resourceclaims/default", claim) }) { api, client in
            api.inject(.init("GET", "/apis/resource.k8s.io/v1/namespaces", code: 429, retryAfter: 1))
            let start = ContinuousClock.now
            _ = try await client.claim("a", namespace: "default", timeout: .seconds(10))
            #expect(ContinuousClock.now - start >= .seconds(1))
            api.inject(.init("GET", "/apis/resource.k8s.io/v1/namespaces", code: 429, retryAfter: 3600))
            let error = await #expect(throws: APIError.self) {
                _ = try await client.claim("a", namespace: "default", timeout: .seconds(10))
            }
            #expect(error?.status == 429 && error?.retryAfter == .seconds(3600))
            api.inject(.init("GET", "/apis/resource.k8s.io/v1/namespaces", code: 0))
            _ = try await client.claim("a", namespace: "default", timeout: .seconds(20))
        }
    }

    @Test
    func `a missing claim causes only one request for versions`() async throws {
        try await run { api, client in
            let error = await #expect(throws: APIError.self) {
                _ = try await client.claim("b", namespace: "default", timeout: .seconds(1))
            }
            #expect(error?.isNotFound == true && error?.isUnknownPath == false)
            #expect(api.requests.count == 1)
            api.serve(only: [])
            let unknown = await #expect(throws: APIError.self) {
                _ = try await client.claim("b", namespace: "default", timeout: .seconds(1))
            }
            #expect(unknown?.isUnknownPath == true)
        }
    }

    @Test
    func `delays grow, differ, and are never shorter than the server's Retry-After`() {
        #expect(Set((0..<50).map { _ in Backoff.delay(attempt: 5) }).count > 40)
        #expect((0..<200).allSatisfy { Backoff.delay(attempt: $0) <= .milliseconds(30_050) })
        #expect((0..<200).allSatisfy { _ in (.seconds(8) ... .milliseconds(10_250)).contains(Backoff.delay(asked: .seconds(8))) })
    }

    // MARK: Kubeconfig

    private func kubeconfig(_ cluster: String, _ user: String) -> [UInt8] {
        Array(
            """
            {"apiVersion": "v1", "kind": "Config", "current-context": "c",
             "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
             "clusters": [{"name": "k", "cluster": {\(cluster)}}], "users": [{"name": "u", "user": {\(user)}}]}
            """.utf8)
    }

    @Test
    func `a kubeconfig is read`() throws {
        let endpoint = try Kubeconfig.endpoint(
            kubeconfig(
                #""server": "https://10.0.0.1:6443", "certificate-authority-data": "UEVN", "tls-server-name": "k8s.example""#,
                #""token": "t""#),
            name: "x")
        #expect(endpoint.url == "https://k8s.example:6443" && endpoint.address == "10.0.0.1")
        #expect(endpoint.authority == .bytes(Array("PEM".utf8)) && endpoint.token == .bytes(Array("t".utf8)))
        let certificate = try Kubeconfig.endpoint(
            kubeconfig(#""server": "https://h:1/""#, #""client-certificate": "/c", "client-key-data": "UEVN""#), name: "x")
        #expect(certificate.certificate == .file("/c") && certificate.key == .bytes(Array("PEM".utf8)))
    }

    @Test(
        arguments: [
            ("apiVersion: v1\nkind: Config\n", .malformed, "read the kubeconfig"), ("{", .malformed, nil),
            ("{}", .missing, "clusters"),
            (#"{"clusters": [], "users": [], "contexts": []}"#, .missing, "read the kubeconfig"),
            (
                #"{"clusters": [{"name": "k", "cluster": {"server": "https://h"}}], "users": [], "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}], "current-context": "c"}"#,
                .missing, "read the kubeconfig"
            ),
            (
                #"{"clusters": [{"name": "k", "cluster": {"server": "https://h", "insecure-skip-tls-verify": true}}], "users": [], "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}], "current-context": "c"}"#,
                .unsupported, "read the kubeconfig"
            ),
        ] as [(String, InputError.Code, String?)])
    func `an unusable kubeconfig is refused with a remedy`(text: String, code: InputError.Code, step: String?) {
        let error = #expect(throws: InputError.self) { try Kubeconfig.endpoint(Array(text.utf8), name: "x") }
        #expect(error?.code == code && error?.object == "x" && error?.step == step, "\(error?.description ?? "")")
        #expect(error?.advice?.isEmpty == false)
    }

    // MARK: The wire

    @Test
    func `a device is encoded in the form of each version, and decoded from each`() throws {
        let device = SliceDevice(
            name: "d", attributes: ["a": .int(1)], capacity: ["shares": DeviceCapacity(value: "4")],
            consumesCounters: [CounterConsumption(counterSet: "s", counters: ["c": Counter(value: "1")])],
            taints: [DeviceTaint(key: "x/y", effect: .noSchedule)], allowMultipleAllocations: true)
        let inner =
            #""allowMultipleAllocations":true,"attributes":{"a":{"int":1}},"capacity":{"shares":{"value":"4"}},"consumesCounters":[{"counterSet":"s","counters":{"c":{"value":"1"}}}]"#
        for (version, golden) in [
            (ResourceAPIVersion.v1, "{\(inner),\"name\":\"d\",\"taints\":[{\"effect\":\"NoSchedule\",\"key\":\"x/y\"}]}"),
            (.v1beta1, "{\"basic\":{\(inner),\"taints\":[{\"effect\":\"NoSchedule\",\"key\":\"x/y\"}]},\"name\":\"d\"}"),
        ] {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            encoder.userInfo[try #require(CodingUserInfoKey.resourceAPIVersion)] = version
            let text = String(decoding: try encoder.encode(device), as: UTF8.self)
            #expect(text == golden)
            #expect(try JSONDecoder().decode(SliceDevice.self, from: Data(text.utf8)) == device)
        }
    }
}
