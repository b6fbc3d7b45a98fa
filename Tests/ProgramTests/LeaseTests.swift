// SPDX-License-Identifier: Apache-2.0

import Glibc
import Hardware
import Journal
import JournalModel
import Linux
import NRIMessages
import ResourceAPI
import Testbed
import Testing

/// Interfaces with addresses from real DHCP servers, over nearside-nri's clients.
@Suite(.serialized, .enabled(if: Place.canUseNamespaces, "\(Place.rootReason)"))
struct LeaseTests {
    private func start(_ capabilities: [String] = TestNode.leaseCapabilities, gate: Bool = true) throws -> TestNode {
        var options = TestNode.Options(
            programs: Place.programs, machine: try #require(try MachineDescription.embedded("hgx-a100")).machine)
        options.injectorCapabilities = capabilities
        if !gate { options.gate = "" }
        let node = try TestNode(options)
        try node.startInjector()
        try node.startNode()
        return node
    }

    /// A claim of one NIC with DHCP, prepared for a pod; or a shared claim, for which each pod gets a child of the NIC.
    private func prepare(
        _ node: TestNode, _ name: String, pod: String, device: String = TestNode.nic, shared others: [String] = [],
        asking: [String] = ["dhcp"]
    ) throws {
        var interface: [String: JSONValue] = ["name": .string("net1")]
        for name in asking { interface[name] = .bool(true) }
        if asking.contains("dhcp") { interface["dhcpRoutes"] = .array([.string("198.51.100.0/24")]) }
        if !others.isEmpty { interface["subInterface"] = .object(["type": .string("macvlan"), "mode": .string("bridge")]) }
        var routes: [JSONValue] = []
        if asking.contains("dhcp") {
            routes.append(.object(["destination": .string("203.0.113.0/24"), "gateway": .string("192.0.2.1")]))
        }
        if asking.contains("dhcp6") {
            routes.append(
                .object([
                    "destination": .string("2001:db8:ff::/48"), "gateway": .string("2001:db8:5::1"), "source": .string("2001:db8:5::20"),
                    "onLink": .bool(true),
                ]))
        }
        let parameters: [String: JSONValue] = ["interface": .object(interface), "routes": .array(routes)]
        try node.api.add(
            "resourceclaims/default",
            ResourceClaim(
                metadata: Metadata(
                    name: name, namespace: "default", uid: "uid-\(name)",
                    ownerReferences: others.isEmpty ? [OwnerReference(apiVersion: "v1", kind: "Pod", name: pod, uid: pod)] : nil),
                status: ResourceClaimStatus(
                    allocation: AllocationResult(
                        devices: DeviceAllocation(
                            results: [
                                AllocatedDevice(request: "nic", driver: node.options.driver, pool: node.options.node, device: device)
                            ],
                            config: [
                                AllocationConfig(
                                    source: .fromClaim, opaque: OpaqueConfig(driver: node.options.driver, parameters: .object(parameters)))
                            ])),
                    reservedFor: ([pod] + others).map { ConsumerReference(resource: "pods", name: $0, uid: $0) })))
        try node.prepare(name)
    }

    private func address(_ node: TestNode, _ pod: NRIPodSandbox) throws -> String {
        try ChildProcess.run("/sbin/ip", ["-4", "address", "show", "dev", "net1"], in: try node.namespace(of: pod)).output
    }

    /// The remaining lifetime of the address of the pod's interface in seconds.
    private func validity(_ node: TestNode, _ pod: NRIPodSandbox) throws -> Int {
        let words = try address(node, pod).split(whereSeparator: { $0 == " " || $0 == "\n" })
        guard let index = words.firstIndex(of: "valid_lft"), index + 1 < words.count else { return -1 }
        return Int(words[index + 1].dropLast(3)) ?? -1
    }

    private func create(_ node: TestNode, _ pod: NRIPodSandbox) throws -> [NRIHook] {
        try #require(node.runtime).create(NRIContainer(), in: pod).adjust.hooks.createRuntime
    }

    @Test
    func `an interface gets its address from a server, renews it, and releases it`() throws {
        let node = try start()
        defer { node.removeAllPods() }
        // The server has a single address: another client can get it only after its release.
        let server = try LeaseServer(on: node, first: "192.0.2.20", last: "192.0.2.20")
        let before = try node.hostText()
        try server.start()
        try prepare(node, "first", pod: "pod-1")
        let pod = try node.makePod("one", uid: "pod-1")
        try node.runtime?.run(pod)
        #expect(eventually { (try? address(node, pod).contains("192.0.2.20/24")) == true }, "\(node.log("nri.log")) \(server.log)")
        #expect(try create(node, pod).isEmpty)
        let routes = try ChildProcess.run("/sbin/ip", ["route"], in: try node.namespace(of: pod)).output
        #expect(routes.contains("198.51.100.0/24 via 192.0.2.1 dev net1"))
        #expect(routes.contains("203.0.113.0/24 via 192.0.2.1 dev net1"))
        #expect(!routes.contains("default"), "the pod's default route is its network's")
        #expect(
            eventually {
                (try? node.api.claim("first"))?.status?.devices?.first?.networkData?.ips
                    == ["192.0.2.20/24"]
            })

        // Half of the time has passed, and the renewal restores the whole lifetime.
        #expect(eventually { ((try? validity(node, pod)) ?? 0) < LeaseServer.seconds - 3 })
        #expect(eventually { ((try? validity(node, pod)) ?? 0) > LeaseServer.seconds - 3 }, "\(node.log("nri.log"))")

        // A client that was killed with its parent requests the same address again.
        let lease = node.scratch("states/leases/\(try #require(Files.list(node.scratch("states/leases")).first))")
        let last = try Files.readText(lease)
        node.kill(injector: SIGKILL)
        try node.startInjector()
        #expect(eventually { (try? Files.readText(lease)) != last }, "\(node.log("nri.log"))")
        try prepare(node, "second", pod: "pod-2", device: "pci-0000-12-00-0")
        #expect(try address(node, pod).contains("192.0.2.20/24"))

        try node.runtime?.stop(pod)
        try node.unprepare("first")
        let other = try node.makePod("two", uid: "pod-2")
        try node.runtime?.run(other)
        // Half of the time after which the server would give the address to another client anyway.
        let isGivenBack = eventually(seconds: 8) { (try? address(node, other).contains("192.0.2.20/24")) == true }
        #expect(isGivenBack, "\(node.log("nri.log"))")
        try node.runtime?.stop(other)
        try node.unprepare("second")
        try node.expectUnchanged(since: before)
        #expect(Files.list(node.scratch("states/leases")).isEmpty)
    }

    @Test
    func `an interface gets addresses over DHCP and DHCPv6, waits for both, renews and releases them`() throws {
        let node = try start()
        defer { node.removeAllPods() }
        // A single IPv6 address: another client can get it only after its release.
        let server = try LeaseServer(on: node, first: "192.0.2.20", last: "192.0.2.30", v6: "2001:db8:5::20,2001:db8:5::20")
        let before = try node.hostText()
        try prepare(node, "first", pod: "pod-1", asking: ["dhcp", "dhcp6"])
        let pod = try node.makePod("one", uid: "pod-1")
        try node.runtime?.run(pod)
        func text(_ pod: NRIPodSandbox, _ words: String...) throws -> String {
            try ChildProcess.run("/sbin/ip", ["-6"] + words + ["dev", "net1"], in: try node.namespace(of: pod)).output
        }
        func message() -> String? { (try? node.api.claim("first"))?.status?.devices?.first?.conditions?.first?.message }
        let awaited = "no DHCP server has given ib0 an address yet, and no DHCPv6 server has given ib0 an address yet"
        #expect(eventually { message() == awaited }, "\(message() ?? "")")
        try server.start()
        #expect(eventually { (try? create(node, pod).isEmpty) == true }, "\(node.log("nri.log")) \(server.log)")
        let own = try text(pod, "address", "show").split(separator: "\n").first { $0.contains("2001:db8:5::20/128") }
        #expect(own?.contains("tentative") == false, "\(own ?? "")")
        let routes = try text(pod, "route", "show")
        #expect(routes.contains("2001:db8:ff::/48 via 2001:db8:5::1 proto static src 2001:db8:5::20"), "\(routes)")
        let ips = ["192.0.2.", "2001:db8:5::20/128"]
        #expect(
            eventually {
                let told = (try? node.api.claim("first"))?.status?.devices?.first?.networkData?.ips ?? []
                return told.count == 2 && ips.allSatisfy { address in told.contains { $0.hasPrefix(address) } }
            })
        // Another client that asks for the same address gets a different one.
        try prepare(node, "second", pod: "pod-2", device: "pci-0000-12-00-0", asking: ["dhcp", "dhcp6"])
        let other = try node.makePod("two", uid: "pod-2")
        try node.runtime?.run(other)
        #expect(eventually { (try? address(node, other).contains("192.0.2.")) == true })
        #expect(try create(node, other).count == 1)

        // Both clients are killed with their parent and request the same addresses again.
        node.kill(injector: SIGKILL)
        try node.startInjector()
        #expect(try create(node, pod).isEmpty)
        #expect(try text(pod, "address", "show").contains("2001:db8:5::20/128"))
        #expect(try create(node, other).count == 1)

        try node.runtime?.stop(pod)
        try node.unprepare("first")
        #expect(eventually { (try? create(node, other).isEmpty) == true }, "\(node.log("nri.log")) \(server.log)")
        #expect(try text(other, "address", "show").contains("2001:db8:5::20/128"))
        try node.runtime?.stop(other)
        try node.unprepare("second")
        try node.expectUnchanged(since: before)
        #expect(Files.list(node.scratch("states/leases")).isEmpty)
    }

    @Test
    func `pods that share a claim each get their own address, and release it at their end`() throws {
        let node = try start()
        defer { node.removeAllPods() }
        let server = try LeaseServer(on: node, first: "192.0.2.20", last: "192.0.2.21")
        let before = try node.hostText()
        try server.start()
        try prepare(node, "shared", pod: "pod-1", shared: ["pod-2"])
        let pods = try ["one", "two"].enumerated().map { try node.makePod($1, uid: "pod-\($0 + 1)") }
        for pod in pods { try node.runtime?.run(pod) }
        for pod in pods { #expect(eventually { (try? create(node, pod).isEmpty) == true }, "\(node.log("nri.log")) \(server.log)") }
        let addresses = try pods.map { try address(node, $0).split(separator: " ").first { $0.hasPrefix("192.0.2.2") } }
        #expect(Set(addresses.compactMap(\.self)) == ["192.0.2.20/24", "192.0.2.21/24"])

        // Both clients exit with the program and start with it again, each with its own address.
        node.kill(injector: SIGKILL)
        try node.startInjector()
        #expect(eventually { Files.list(node.scratch("states/leases")).filter { !$0.hasPrefix(".") }.count == 2 })
        #expect(try pods.map { try address(node, $0).split(separator: " ").first { $0.hasPrefix("192.0.2.2") } } == addresses)

        // The next client gets a released address, and the other client keeps its own.
        try node.runtime?.stop(pods[0])
        #expect(Files.list(node.scratch("states/leases")).count == 1)
        #expect(try address(node, pods[1]).contains(addresses[1] ?? "none"))
        #expect(try create(node, pods[1]).isEmpty)
        try node.runtime?.stop(pods[1])
        try node.unprepare("shared")
        #expect(Files.list(node.scratch("states/leases")).isEmpty)
        try node.expectUnchanged(since: before)
    }

    @Test
    func `an expired lease is removed with and without the daemon, and the next lease is applied`() throws {
        let node = try start()
        defer { node.removeAllPods() }
        let server = try LeaseServer(on: node, first: "192.0.2.20", last: "192.0.2.20")
        try server.start()
        try prepare(node, "first", pod: "pod-1")
        let pod = try node.makePod("one", uid: "pod-1")
        try node.runtime?.run(pod)
        #expect(eventually { (try? create(node, pod).isEmpty) == true }, "\(node.log("nri.log"))")
        func reason() -> String? { (try? node.api.claim("first"))?.status?.devices?.first?.conditions?.first?.reason }

        #expect(eventually { reason() == "Ready" }, "\(reason() ?? "none")")
        server.stop()
        #expect(eventually { reason() == "AwaitsLease" }, "\(node.log("nri.log"))")
        #expect(try !address(node, pod).contains("192.0.2"))
        #expect(try create(node, pod).count == 1, "a container of the pod is held back")
        #expect(try node.api.claim("first").status?.devices?.first?.networkData?.ips?.isEmpty != false)
        try server.start()
        #expect(eventually { (try? create(node, pod).isEmpty) == true }, "\(node.log("nri.log"))")
        #expect(try address(node, pod).contains("192.0.2.20/24"))

        node.kill(injector: SIGKILL)
        server.stop()
        #expect(eventually { (try? address(node, pod).contains("192.0.2")) == false })
        try node.startInjector()
        #expect(try create(node, pod).count == 1)
        #expect(eventually { reason() == "AwaitsLease" })
        try server.start()
        #expect(eventually { (try? create(node, pod).isEmpty) == true }, "\(node.log("nri.log"))")
        try node.runtime?.stop(pod)
    }

    @Test
    func `without a lease a container is created but not started, other pods start, and it starts with the lease`() throws {
        let node = try start()
        defer { node.removeAllPods() }
        let server = try LeaseServer(on: node, first: "192.0.2.30", last: "192.0.2.40")
        try prepare(node, "first", pod: "pod-1")
        try node.api.add("pods/default", Pod(metadata: Metadata(name: "one", namespace: "default", uid: "pod-1")))
        let pod = try node.makePod("one", uid: "pod-1")
        try node.runtime?.run(pod)
        let hooks = try create(node, pod)
        let hook = try #require(hooks.first)
        #expect(hooks.count == 1 && hook.path == "\(Place.programs)/nearside-gate" && hook.timeout.value == 30)
        // The gate of the container, as the runtime starts it.
        let inside = try ChildProcess("/bin/sleep", ["60"], in: try node.namespace(of: pod))
        let arguments = hook.args.dropFirst().joined(separator: " ")
        let gate = try ChildProcess(
            "/bin/sh", ["-c", "echo '{\"pid\": \(inside.identifier)}' | \(hook.path) \(arguments)"], output: node.scratch("gate.log"))
        // Other pods are served in the meantime.
        try node.addClaim("second", devices: ["pci-0000-12-00-0"], pod: "pod-2", interface: "net2")
        try node.prepare("second")
        let other = try node.makePod("two", uid: "pod-2")
        try node.runtime?.run(other)
        #expect(try node.isAttached("net2", in: other))
        #expect(gate.isRunning)
        #expect(
            eventually {
                (try? node.api.claim("first"))?.status?.devices?.first?.conditions?.first?
                    .reason == "AwaitsLease"
            })
        try server.start()
        #expect(gate.wait() == 0, "\(node.log("gate.log"))")
        #expect(try address(node, pod).contains("192.0.2.3"))
        #expect(try create(node, pod).isEmpty)
        try node.runtime?.stop(pod)
        try node.runtime?.stop(other)
    }

    @Test
    func `without a gate, or without the capabilities, the container is refused with the reason`() throws {
        let node = try start(gate: false)
        defer { node.removeAllPods() }
        try prepare(node, "first", pod: "pod-1")
        let pod = try node.makePod("one", uid: "pod-1")
        try node.runtime?.run(pod)
        #expect(throws: (any Error).self) { try create(node, pod) }
        #expect(node.log("nri.log").contains("code=leaseAwaited"), "\(node.log("nri.log"))")
        try node.runtime?.stop(pod)

        let poor = try start([])
        defer { poor.removeAllPods() }
        try prepare(poor, "first", pod: "pod-1")
        let beggar = try poor.makePod("one", uid: "pod-1")
        try poor.runtime?.run(beggar)
        #expect { try create(poor, beggar) } throws: {
            "\($0)".contains("needs the capabilities KILL, SETGID, SETUID, SETPCAP, NET_BIND_SERVICE, NET_RAW")
        }
        try poor.runtime?.stop(beggar)
        try poor.unprepare("first")
        try prepare(poor, "second", pod: "pod-2", asking: ["dhcp6"])
        let other = try poor.makePod("two", uid: "pod-2")
        try poor.runtime?.run(other)
        #expect { try create(poor, other) } throws: {
            "\($0)".contains("DHCPv6 on ib0 needs the capabilities KILL, SETGID, SETUID, SETPCAP, NET_BIND_SERVICE, which")
        }
        try poor.runtime?.stop(other)
    }

    @Test
    func `a lease that cannot be saved is requested again, long before it expires`() throws {
        let node = try start()
        defer { node.removeAllPods() }
        let server = try LeaseServer(on: node, first: "192.0.2.20", last: "192.0.2.20", seconds: 3600)
        try server.start()
        try prepare(node, "first", pod: "pod-1")
        let pod = try node.makePod("one", uid: "pod-1")
        let key = LeaseKey(
            claim: "uid-first", device: TestNode.nic, namespace: try node.namespace(of: pod).identity, family: .v4)
        let file = try JournalFolder(node.scratch("journal"), states: node.scratch("states"), for: .injector).leaseFile(key)
        // A file cannot replace a folder.
        try Files.makeFolder(file)
        try node.runtime?.run(pod)
        #expect(eventually { node.log("nri.log").contains("Is a directory") }, "\(node.log("nri.log")) \(server.log)")
        #expect(try create(node, pod).count == 1)
        rmdir(file)
        #expect(eventually { (try? create(node, pod).isEmpty) == true }, "\(node.log("nri.log")) \(server.log)")
        #expect(try address(node, pod).contains("192.0.2.20/24"))
        try node.runtime?.stop(pod)
    }

    @Test
    func `a DHCPv6 client needs no raw socket`() throws {
        let node = try start(TestNode.leaseCapabilities.filter { $0 != "net_raw" })
        defer { node.removeAllPods() }
        let server = try LeaseServer(on: node, first: "192.0.2.20", last: "192.0.2.20", v6: "2001:db8:5::20,2001:db8:5::20")
        try server.start()
        try prepare(node, "first", pod: "pod-1", asking: ["dhcp6"])
        let pod = try node.makePod("one", uid: "pod-1")
        try node.runtime?.run(pod)
        #expect(eventually { (try? create(node, pod).isEmpty) == true }, "\(node.log("nri.log")) \(server.log)")
        #expect(try node.interfaces(pod).contains("2001:db8:5::20/128"))
        #expect(try address(node, pod).contains("inet ") == false, "who asks a server has no address of the host")
        try node.runtime?.stop(pod)
    }
}
