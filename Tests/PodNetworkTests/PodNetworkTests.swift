// SPDX-License-Identifier: Apache-2.0

import Glibc
import JournalModel
import Linux
import Netlink
import NetworkModel
import PodNetwork
import Testbed
import Testing

/// Moves in real namespaces; the host's state is compared as text.
@Suite(.enabled(if: Place.canUseNamespaces, "\(Place.rootReason)"))
struct PodNetworkTests {
    @Test(arguments: [1, 8])
    func `interfaces move and return, and the host's network is unchanged`(links: Int) throws {
        let scene = try Scene(links: links)
        let before = try scene.text()
        let pod = scene.pod
        try scene.onHost { (network) throws(PodNetworkError) in
            let records = try network.records((0..<links).map { "nic\($0)" })
            let orders = (0..<links).map { Self.order(Self.plan($0), records[$0]) }
            let results = try network.attach(orders, to: pod)
            #expect(results[0].addresses.map(\.description) == ["10.9.0.1/24", "10.9.0.2/24", "2001:db8::2/64", "2001:db8::1/64"])
            #expect(try network.areAttached((0..<links).map { Self.entry(Self.plan($0), records[$0], index: results[$0].index) }, in: pod))
            #expect(
                network.restore((0..<links).map { Self.entry(Self.plan($0), records[$0], index: results[$0].index) }, from: pod).isEmpty)
        }
        try scene.expectSame(as: before)
    }

    @Test
    func `only routes, rules and neighbours of an interface's own addresses move with it`() throws {
        let scene = try Scene()
        let pod = scene.pod
        try scene.onHost { (network) throws(PodNetworkError) in
            _ = try network.attach([Self.order(Self.plan(0), try network.records(["nic0"])[0])], to: pod)
        }
        let rules = try scene.inPod("rule")
        #expect(rules.contains("from 10.9.0.1 lookup 70") && rules.contains("iif net0 lookup 70"), "\(rules)")
        #expect(!rules.contains("fwmark") && !rules.contains("nic0") && !rules.contains("10.9.0.0/16"), "\(rules)")
        let routes = try scene.inPod("route", "show", "table", "all")
        #expect(routes.contains("192.0.2.0/24 via 10.9.0.254 dev net0") && routes.contains("metric 100"), "\(routes)")
        #expect(routes.contains("default via 10.9.0.254 dev net0 table 70"), "\(routes)")
        #expect(!routes.contains("metric 900"), "the host's default route is not the pod's: \(routes)")
        #expect(!routes.contains("table 77"), "no rule leads there: \(routes)")
        #expect(try scene.inPod("neighbour").contains("10.9.0.77 dev net0 lladdr 02:00:00:00:00:77 PERMANENT"))
        // The host's addresses stay, so that nothing of them moves.
        var other = Self.plan(1)
        other.addresses = [try #require(IPPrefix(parsing: "172.16.0.5/24"))]
        let plan = other
        try scene.onHost { (network) throws(PodNetworkError) in
            _ = try network.attach([Self.order(plan, try network.records(["nic1"])[0])], to: pod)
        }
        let all = try scene.inPod("route", "show", "table", "all") + scene.inPod("rule") + scene.inPod("neighbour")
        #expect(all.contains("172.16.0.0/24 dev net1") && !all.contains("10.9.1.") && !all.contains("lookup 71"), "\(all)")
    }

    @Test
    func `recorded settings are restored after any change by the pod`() throws {
        let scene = try Scene(links: 1)
        let before = try scene.text()
        let pod = scene.pod
        let (record, index) = try scene.onHost { (network) throws(PodNetworkError) in
            let record = try network.records(["nic0"])[0]
            return (record, try network.attach([Self.order(Self.plan(0), record)], to: pod)[0].index)
        }
        for change in [
            "link set net0 down", "link set net0 name mine", "link set mine address 02:de:ad:be:ef:00 mtu 1300 txqueuelen 9 alias other",
            "link set mine promisc on allmulticast on arp off multicast off group 7", "link property add dev mine altname another",
            "address flush dev mine", "link set mine gso_max_size 4000", "link set mine up", "address add 203.0.113.9/24 dev mine",
        ] {
            let result = try ChildProcess.run("/sbin/ip", change.split(separator: " ").map(String.init), in: pod)
            #expect(result.status == 0, "\(change): \(result.output)")
        }
        #expect(try ChildProcess.run("/sbin/ethtool", ["-K", "mine", "gro", "off"], in: pod).status == 0)
        try pod.run { () throws(SystemError) in
            for (path, value) in [("ipv4/conf/mine/arp_ignore", "1"), ("ipv6/conf/mine/disable_ipv6", "1")] {
                try Files.overwrite("/proc/sys/net/\(path)", value)
            }
        }
        try scene.onHost { (network) throws(PodNetworkError) in
            let problems = network.restore([Self.entry(Self.plan(0), record, index: index)], from: pod)
            #expect(problems.isEmpty, "\(problems)")
        }
        // A name that the pod added still identifies the interface; the host removes it.
        try scene.expectSame(as: before, besides: "    altname another\n")
    }

    /// The remaining lifetimes of the scene's 5000 and 4000 seconds after some seconds.
    @Test(arguments: [(1000, 4000, 3000), (4500, 500, 0), (6000, nil, nil)] as [(Int, Int?, Int?)])
    func `lifetimes of addresses elapse while the interface is in a pod`(passed: Int, valid: Int?, preferred: Int?) throws {
        let scene = try Scene(links: 1)
        let pod = scene.pod
        try scene.onHost { (network) throws(PodNetworkError) in
            var record = try network.records(["nic0"])[0]
            let index = try network.attach([Self.order(Self.plan(0), record)], to: pod)[0].index
            record.recordedAt = record.recordedAt.map { $0 - passed }
            #expect(network.restore([Self.entry(Self.plan(0), record, index: index)], from: pod).isEmpty)
        }
        let text = try ChildProcess.run("/sbin/ip", ["-oneline", "address", "show", "dev", "nic0"], in: scene.host).output
        let words = text.split(separator: "\n").first { $0.contains("10.9.0.2/24") }?.split(whereSeparator: { " \\".contains($0) })
        func seconds(_ name: String) throws -> Int? {
            guard let words else { return nil }
            let place = try #require(words.firstIndex { $0 == name })
            return Int(words[place + 1].dropLast(3))
        }
        // The test itself takes some seconds.
        for (name, expected) in [("valid_lft", valid), ("preferred_lft", preferred)] {
            let found = try seconds(name)
            #expect(found.map { (max(0, (expected ?? 0) - 60)...(expected ?? -1)).contains($0) } ?? (expected == nil), "\(text)")
        }
    }

    @Test
    func `an interface in the pod has the settings of its plan`() throws {
        let scene = try Scene()
        let before = try scene.text()
        let pod = scene.pod
        var plan = Self.plan(0)
        plan.mtu = 1400
        plan.hardwareAddress = HardwareAddress(parsing: "02:11:22:33:44:55")
        plan.addresses = [try #require(IPPrefix(parsing: "172.16.5.5/24")), try #require(IPPrefix(parsing: "2001:db8:5::5/64"))]
        plan.routes = [
            RouteSpec(destination: try #require(IPPrefix(parsing: "0.0.0.0/0")), gateway: IPAddress(parsing: "172.16.5.1")),
            RouteSpec(destination: try #require(IPPrefix(parsing: "172.17.0.0/16"))),
            RouteSpec(destination: try #require(IPPrefix(parsing: "2001:db8:6::/48")), gateway: IPAddress(parsing: "2001:db8:5::1")),
        ]
        let wanted = plan
        let record = try scene.onHost { (network) throws(PodNetworkError) in
            let record = try network.records(["nic0"])[0]
            _ = try network.attach([Self.order(wanted, record)], to: pod)
            return record
        }
        let link = try scene.inPod("address", "show", "net0")
        for part in ["mtu 1400", "02:11:22:33:44:55", "172.16.5.5/24", "2001:db8:5::5/64", "UP"] { #expect(link.contains(part), "\(link)") }
        #expect(!link.contains("10.9.0.1"))
        let routes = try scene.inPod("route") + scene.inPod("-6", "route")
        for part in ["default via 172.16.5.1", "172.17.0.0/16 dev net0", "2001:db8:6::/48 via 2001:db8:5::1"] {
            #expect(routes.contains(part), "\(routes)")
        }
        try scene.onHost { (network) throws(PodNetworkError) in
            #expect(network.restore([Self.entry(wanted, record)], from: pod).isEmpty)
            // A repetition, as after a crash, changes nothing.
            #expect(network.restore([Self.entry(wanted, record)], from: pod).isEmpty)
        }
        try scene.expectSame(as: before)
    }

    @Test(arguments: ["mtu", "address", "gateway", "name", "missing"])
    func `all interfaces are restored if one fails`(fault: String) throws {
        let scene = try Scene()
        if fault == "name" { _ = try ChildProcess.run("/sbin/ip", ["link", "add", "net1", "type", "ifb"], in: scene.pod) }
        let before = try scene.text()
        let pod = scene.pod
        var second = Self.plan(1)
        switch fault {
        // More than the interface below has.
        case "mtu": second.mtu = 65000
        case "address": second.addresses = [try #require(IPPrefix(parsing: "224.0.0.1/24")), try #require(IPPrefix(parsing: "ff02::1/64"))]
        case "gateway":
            second.routes = [
                RouteSpec(destination: try #require(IPPrefix(parsing: "10.0.0.0/8")), gateway: IPAddress(parsing: "203.0.113.1"))
            ]
        default: break
        }
        let broken = second
        let error = #expect(throws: PodNetworkError.self) {
            try scene.onHost { (network) throws(PodNetworkError) in
                var records = try network.records(["nic0", "nic1"])
                if fault == "missing" { records[1].index = 9999 }
                _ = try network.attach([Self.order(Self.plan(0), records[0]), Self.order(broken, records[1])], to: pod)
            }
        }
        #expect(error?.object == "nic1", "\(error.map(String.init(describing:)) ?? "")")
        try scene.expectSame(as: before)
        #expect(try !scene.inPod("link").contains("net0"))
    }

    @Test
    func `a port of a bridge is refused without a change`() throws {
        let scene = try Scene()
        try scene.ip("link", "add", "br0", "type", "bridge")
        try scene.ip("link", "set", "wire1", "master", "br0")
        let error = #expect(throws: PodNetworkError.self) {
            _ = try scene.onHost { (network) throws(PodNetworkError) in try network.records(["wire1"]) }
        }
        #expect(error?.code == .notMovable && error?.object == "wire1", "\(error.map(String.init(describing:)) ?? "")")
    }

    @Test
    func `an interface with settings that a move would lose is refused without a change`() throws {
        let scene = try Scene(links: 1)
        try scene.tc("qdisc", "replace", "dev", "nic0", "root", "handle", "2:", "htb", "default", "1")
        let before = try scene.text()
        let error = #expect(throws: PodNetworkError.self) {
            _ = try scene.onHost { (network) throws(PodNetworkError) in try network.records(["nic0"]) }
        }
        #expect(error?.code == .notMovable && error?.cause.contains("htb") == true, "\(error.map(String.init(describing:)) ?? "")")
        try scene.expectSame(as: before)
    }

    /// Attaches programs to interfaces. Built by hack/test; nil if it is missing, or the kernel is older than 6.6.
    private static let programs: String? = {
        let path = "\(Place.project)/.build/programs"
        return (try? ChildProcess.run(path, ["count", "lo"]))?.status == 0 ? path : nil
    }()

    @Test(.enabled(if: programs != nil, "needs hack/testbed/programs.c, which hack/test builds, and Linux 6.6"))
    func `programs move with an interface, and are detached on request`() throws {
        let scene = try Scene(links: 2)
        let tool = try #require(Self.programs)
        var agents: [ChildProcess] = []
        for index in 0..<2 {
            let agent = try ChildProcess(tool, ["attach", "nic\(index)"], in: scene.host)
            agents.append(agent)
            #expect(
                try eventually {
                    let link = try ChildProcess.run("/sbin/ip", ["link", "show", "nic\(index)"], in: scene.host).output
                    return link.contains("xdp")
                }, "the kernel has no such programs")
        }
        func count(_ name: String) throws -> String { try ChildProcess.run(tool, ["count", name], in: scene.pod).output }
        let pod = scene.pod
        var bare = Self.plan(1)
        bare.detachesPrograms = true
        let plans = [Self.plan(0), bare]
        try scene.onHost { (network) throws(PodNetworkError) in
            let records = try network.records(["nic0", "nic1"])
            _ = try network.attach(zip(plans, records).map { Self.order($0, $1) }, to: pod)
        }
        #expect(try count("net0") == "3 in, 1 out\n")
        #expect(try scene.inPod("link", "show", "net0").contains("xdp"))
        #expect(try count("net1") == "0 in, 0 out\n")
        #expect(try !scene.inPod("link", "show", "net1").contains("xdp"))
        for agent in agents { agent.stop() }
    }

    @Test
    func `another interface with the recorded name is not changed`() throws {
        let scene = try Scene()
        let pod = scene.pod
        let record = try scene.onHost { (network) throws(PodNetworkError) in try network.records(["nic0"])[0] }
        try scene.ip("link", "del", "nic0")
        try scene.ip("link", "add", "link", "wire0", "name", "nic0", "type", "macvlan", "mode", "bridge")
        let before = try scene.text()
        try scene.onHost { (network) throws(PodNetworkError) in
            let problems = network.restore([Self.entry(Self.plan(0), record)], from: pod)
            #expect(problems.map(\.error.code) == [.missing] && problems.map(\.error.object) == ["nic0"])
        }
        try scene.expectSame(as: before)
    }

    @Test
    func `an interrupted move is rolled back from either namespace`() throws {
        let scene = try Scene()
        let before = try scene.text()
        let pod = scene.pod
        let record = try scene.onHost { (network) throws(PodNetworkError) in try network.records(["nic0"])[0] }
        // Moved, but under the old name; then moved and renamed, but not configured.
        for name in ["nic0", "net0"] {
            try scene.ip("link", "set", "nic0", "down")
            let path = "/proc/self/fd/\(pod.descriptor.raw)"
            _ = try scene.host.run { () throws(SystemError) in
                do throws(NetlinkError) {
                    let socket = try NetlinkSocket()
                    try socket.change(record.index, LinkChange(name: name, namespace: pod.descriptor.raw), path)
                } catch { throw SystemError("\(error)", "", code: error.code) }
            }
            try scene.onHost { (network) throws(PodNetworkError) in
                #expect(network.restore([Self.entry(Self.plan(0), record)], from: pod).isEmpty)
            }
            try scene.expectSame(as: before)
        }
    }

    @Test
    func `every setting of a configuration is applied in the pod, and removed on the host afterwards`() throws {
        let scene = try Scene(links: 1)
        let before = try scene.text()
        let pod = scene.pod
        var plan = Self.plan(0)
        plan.sizes = SegmentSizes(gso: 16000, gro: 17000)
        plan.sysctls = [
            "ipv4/conf/forwarding": "1", "ipv4/conf/arp_ignore": "2", "ipv6/conf/accept_ra": "2", "ipv4/neigh/gc_stale_time": "33",
        ]
        plan.features = ["rx-gro": false]
        plan.rules = [Rule(source: IPPrefix(parsing: "10.9.0.0/24"), table: 55, priority: 1000)]
        plan.neighbours = [
            NeighbourSpec(
                address: try #require(IPAddress(parsing: "10.9.0.77")),
                hardwareAddress: try #require(HardwareAddress(parsing: "02:00:00:00:00:99")))
        ]
        var route = RouteSpec(destination: try #require(IPPrefix(parsing: "203.0.113.0/24")), gateway: IPAddress(parsing: "192.168.77.1"))
        (route.isOnLink, route.table, route.metric, route.mtu) = (true, 55, 7, 1200)
        plan.routes = [route]
        let wanted = plan
        let record = try scene.onHost { (network) throws(PodNetworkError) in
            let record = try network.records(["nic0"])[0]
            _ = try network.attach([Self.order(wanted, record)], to: pod)
            return record
        }
        func setting(_ path: String) throws -> String {
            try pod.run { () throws(SystemError) in try Files.readText("/proc/sys/net/\(path)") }
        }
        #expect(try setting("ipv4/conf/net0/forwarding") == "1\n" && setting("ipv4/conf/net0/arp_ignore") == "2\n")
        #expect(try setting("ipv6/conf/net0/accept_ra") == "2\n" && setting("ipv4/neigh/net0/gc_stale_time") == "33\n")
        #expect(try scene.inPod("-d", "link", "show", "net0").contains("gso_max_size 16000"))
        let features = try ChildProcess.run("/sbin/ethtool", ["-k", "net0"], in: pod).output
        #expect(features.contains("generic-receive-offload: off"), "\(features)")
        #expect(try scene.inPod("rule").contains("1000:\tfrom 10.9.0.0/24 lookup 55"))
        let routes = try scene.inPod("route", "show", "table", "55")
        #expect(routes.contains("203.0.113.0/24 via 192.168.77.1 dev net0") && routes.contains("metric 7 onlink mtu 1200"), "\(routes)")
        #expect(
            try scene.inPod("neighbour").contains("10.9.0.77 dev net0 lladdr 02:00:00:00:00:99 PERMANENT"), "the plan's over the host's")
        try scene.onHost { (network) throws(PodNetworkError) in
            #expect(network.restore([Self.entry(wanted, record)], from: pod).isEmpty)
        }
        try scene.expectSame(as: before)
    }

    @Test
    func `an unsupported feature is refused by name, and everything is unchanged`() throws {
        let scene = try Scene(links: 1)
        let before = try scene.text()
        let pod = scene.pod
        var plan = Self.plan(0)
        plan.features = ["rx-made-up": true]
        let wanted = plan
        let error = #expect(throws: PodNetworkError.self) {
            try scene.onHost { (network) throws(PodNetworkError) in
                _ = try network.attach([Self.order(wanted, try network.records(["nic0"])[0])], to: pod)
            }
        }
        #expect(error?.step == "set rx-made-up", "\(error?.description ?? "")")
        try scene.expectSame(as: before)
    }

    @Test
    func `two pods each get an interface on the same parent, and the parent stays unchanged`() throws {
        let scene = try Scene(links: 1)
        let before = try scene.text()
        let other = try NetworkNamespace.make()
        var plan = InterfacePlan(hostName: "wire0", name: "net0", hardwareAddress: HardwareAddress(parsing: "02:00:00:00:01:01"))
        plan.child = ChildInterface(kind: .macvlan, mode: 4)
        plan.addresses = [try #require(IPPrefix(parsing: "10.50.0.1/24"))]
        let wanted = plan
        let pod = scene.pod
        try scene.onHost { (network) throws(PodNetworkError) in
            let record = try network.records(["wire0"], isTaken: false)[0]
            let order = PodNetwork.AttachRequest(device: "d", plan: wanted, record: record)
            let first = try network.attach([order], to: pod)
            var second = order
            second.plan?.hardwareAddress = nil
            _ = try network.attach([second], to: other)
            #expect(first[0].addresses.map(\.description) == ["10.50.0.1/24"])
            var attachment = Attachment(
                phase: .attached, device: "d", podUID: "", sandbox: "", namespacePath: "", namespace: FileIdentity(device: 0, inode: 0),
                podName: "net0", host: nil)
            attachment.podIndex = first[0].index
            #expect(try network.areAttached([PodNetwork.RestoreRequest(attachment)], in: pod))
            #expect(network.restore([PodNetwork.RestoreRequest(attachment)], from: pod).isEmpty)
            #expect(try !network.areAttached([PodNetwork.RestoreRequest(attachment)], in: pod))
            // A repetition, after the end of the namespace, changes nothing.
            #expect(network.restore([PodNetwork.RestoreRequest(attachment)], from: pod).isEmpty)
            #expect(network.restore([PodNetwork.RestoreRequest(attachment)], from: nil).isEmpty)
        }
        #expect(try ChildProcess.run("/sbin/ip", ["link"], in: other).output.contains("net0"))
        try scene.expectSame(as: before)
    }

    @Test
    func `IPv6 settings by number equal the files by name`() throws {
        let scene = try Scene(links: 1)
        for (name, number) in InterfaceSettings.ipv6 {
            let path = "/proc/sys/net/ipv6/conf/nic0/\(name)"
            guard let text = try? scene.host.run({ () throws(SystemError) in try Files.readText(path) }), let value = Int32(text.dropLast())
            else { continue }
            let settings = try #require(try scene.onHost { (network) throws(PodNetworkError) in try network.records(["nic0"])[0].settings })
            guard number < settings.ipv6.count else { continue }
            #expect(settings.ipv6[number] == value, "\(name)")
            // A new value, which the same number has to report.
            guard (try? scene.sysctl("ipv6/conf/nic0/\(name)", String(value == 1 ? 0 : 1))) != nil else { continue }
            let changed = try #require(try scene.onHost { (network) throws(PodNetworkError) in try network.records(["nic0"])[0].settings })
            // Times are rounded to the resolution of the kernel's clock.
            let now = try scene.host.run { () throws(SystemError) in try Files.readText(path) }
            #expect(changed.ipv6[number] != value && changed.ipv6[number] == Int32(now.dropLast()), "\(name)")
            try scene.sysctl("ipv6/conf/nic0/\(name)", String(value))
        }
    }

    @Test
    func `a file that is not a namespace is refused`() throws {
        let scratch = try ScratchFolder()
        try Files.write(scratch("x"), "")
        let error = #expect(throws: SystemError.self) { try NetworkNamespace(path: scratch("x")) }
        #expect(error?.code == EINVAL && error?.object == scratch("x"))
    }
}
