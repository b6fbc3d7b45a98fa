// SPDX-License-Identifier: Apache-2.0

import Attachment
import CDI
import Dispatch
import Glibc
import Journal
import JournalModel
import Linux
import Netlink
import NetworkModel
import Synchronization
import Testbed
import Testing

struct JournalTests {
    private static let plan = ClaimPlan(
        claim: ClaimIdentity(namespace: "ns", name: "c", uid: "u-1"), pods: ["p"],
        devices: [
            DevicePlan(
                pool: "n", device: "d", request: "r", cdiDeviceIDs: ["a/b=c"],
                interface: InterfacePlan(hostName: "eth1", name: "net1", mtu: 9000))
        ])

    /// The journal as seen by the daemon.
    private func folder(_ daemon: JournalFolder.Daemon = .node) throws -> (JournalFolder, ScratchFolder) {
        let scratch = try ScratchFolder()
        let journal = JournalFolder(scratch("journal"), states: scratch("states"), for: daemon)
        try journal.make()
        return (journal, scratch)
    }

    private func other(_ scratch: ScratchFolder, _ daemon: JournalFolder.Daemon) throws -> JournalFolder {
        let journal = JournalFolder(scratch("journal"), states: scratch("states"), for: daemon)
        try journal.make()
        return journal
    }

    @Test
    func `plans and states decode what was encoded`() throws {
        let (journal, scratch) = try folder()
        let injector = try other(scratch, .injector)
        try journal.write(Self.plan)
        #expect(try injector.plan("u-1") == Self.plan)
        #expect(journal.plans().plans == [Self.plan])
        let prefix = try #require(IPPrefix(parsing: "2001:db8::5/64"))
        // struct ifinfomsg of interface 7, and its name.
        let header: [UInt8] = [0, 0, 1, 0, 7, 0, 0, 0, 0x43, 0x10, 0, 0, 0, 0, 0, 0]
        let link = Message(type: 16, flags: 0, payload: header + [9, 0, 3, 0] + Array("eth1".utf8) + [0, 0, 0, 0])
        var record = HostRecord(try #require(Link(link)))
        record.settings = LinkSettings(link)
        record.addresses = [InterfaceAddress(index: 7, prefix: prefix)]
        record.routes = [Route(destination: nil, isV6: true, gateway: IPAddress(parsing: "fe80::1"), interface: 7)]
        record.rules = [Rule(source: prefix, table: 77, isV6: true)]
        let state = ClaimState(
            claim: Self.plan.claim,
            attachments: [
                Attachment(
                    phase: .moving, device: "d", podUID: "p", sandbox: "s", namespacePath: "/run/netns/x",
                    namespace: FileIdentity(device: 4, inode: 4_026_531_840), podName: "net1", host: record)
            ])
        try injector.write(state)
        #expect(try journal.state("u-1") == state && injector.state("u-1") == state)
        try injector.removeState("u-1")
        try journal.removePlan("u-1")
        try journal.removePlan("u-1")
        #expect(journal.plans().plans.isEmpty && journal.states().states.isEmpty)
        withExtendedLifetime(scratch) {}
    }

    @Test(arguments: ["", "{", "[]", #"{"version":1}"#, "\u{0}"])
    func `a damaged file is set aside, reported once, and stops no other`(content: String) throws {
        let (journal, scratch) = try folder()
        try journal.write(Self.plan)
        try Files.write(scratch("journal/plans/u-2.json"), content)
        let (plans, damaged) = journal.plans()
        #expect(plans == [Self.plan])
        #expect(damaged.map(\.code) == [.damaged])
        #expect(damaged.first?.remedy == "the damaged file was set aside as \(scratch("journal/plans/u-2.json.damaged"))")
        #expect(journal.plans().damaged.isEmpty)
        #expect(try Files.readText(scratch("journal/plans/u-2.json.damaged")) == content)
    }

    @Test(arguments: ["", "{", #"{"version":99}"#, nil])
    func `an unreadable plan counts as lost, and only the daemon that writes plans sets it aside`(content: String?) throws {
        let (journal, scratch) = try folder()
        let injector = try other(scratch, .injector)
        try journal.write(Self.plan)
        let file = scratch("journal/plans/u-2.json")
        // A folder, which cannot be read as a file.
        if let content { try Files.write(file, content) } else { try Files.makeFolder(file) }
        var told: [JournalError] = []
        let cache = PlanCache(injector) { told.append($0) }
        #expect(cache.lostClaims() == ["u-2"] && Array(cache.all()) == [Self.plan])
        #expect(cache.lostClaims() == ["u-2"] && told.count == 1)
        #expect(Files.list(scratch("journal/plans")) == ["u-1.json", "u-2.json"])
        // The cache keeps a plan that it has read once.
        if let content { try Files.write(scratch("journal/plans/u-1.json"), content) }
        #expect(cache.plan("u-1") == Self.plan && cache.lostClaims() == ["u-2"])
    }

    @Test
    func `plans beyond the common limit count as lost until there is room`() throws {
        let (journal, scratch) = try folder()
        let injector = try other(scratch, .injector)
        var plans: [ClaimPlan] = []
        for number in 1...3 {
            var plan = Self.plan
            plan.claim.uid = "u-\(number)"
            try journal.write(plan)
            plans.append(plan)
        }
        let size = try Files.read(scratch("journal/plans/u-1.json")).count
        var told: [JournalError] = []
        let cache = PlanCache(injector, room: 2 * size) { told.append($0) }
        #expect(cache.lostClaims() == ["u-3"] && Set(cache.all()) == Set(plans.prefix(2)))
        #expect(told.map(\.object) == [scratch("journal/plans/u-3.json")] && told.map(\.code) == [.noRoom])
        try journal.removePlan("u-1")
        #expect(cache.lostClaims().isEmpty && Set(cache.all()) == Set(plans.suffix(2)))
    }

    @Test
    func `neither daemon changes the other one's files`() throws {
        let (journal, scratch) = try folder()
        let injector = try other(scratch, .injector)
        try injector.write(ClaimState(claim: Self.plan.claim, attachments: []))
        try Files.write(scratch("states/states/u-1.json"), "{")
        try Files.write(scratch("states/late/p.json"), "{")
        #expect(journal.states().states.count == 1 && journal.latePods().damaged.count == 1)
        let state = #expect(throws: JournalError.self) { try journal.write(ClaimState(claim: Self.plan.claim, attachments: [])) }
        let plan = #expect(throws: JournalError.self) { try injector.write(Self.plan) }
        #expect(state?.code == .otherWriter && plan?.code == .otherWriter)
        #expect(try Files.readText(scratch("states/states/u-1.json")) == "{" && Files.readText(scratch("states/late/p.json")) == "{")
        #expect(Files.list(scratch("journal/plans")).isEmpty)
    }

    @Test
    func `files of a release with one folder for both daemons are converted once`() throws {
        let (journal, scratch) = try folder()
        let injector = try other(scratch, .injector)
        let older = JournalFolder(scratch("older"), states: scratch("journal"), for: .injector)
        try older.make()
        let state = ClaimState(claim: Self.plan.claim, attachments: [])
        try older.write(state)
        try Files.makeFolder(scratch("journal/leases"))
        try Files.write(scratch("journal/leases/u-1_d_5"), "at=5\n")
        #expect(!journal.isTakenOver)
        #expect(try injector.takeOver().count == 3 && journal.isTakenOver)
        #expect(try injector.state("u-1") == state && Files.readText(scratch("states/leases/u-1_d_5")) == "at=5\n")
        try injector.removeState("u-1")
        #expect(try injector.takeOver().count == 0 && injector.state("u-1") == nil)
        // Gates that were prepared earlier connect to the old socket.
        let listener = try UnixSocket.listen(injector.socket)
        try journal.linkOldSocket()
        #expect(throws: Never.self) { try UnixSocket.connect(scratch("journal/nri.sock")) }
        withExtendedLifetime(listener) {}
    }

    @Test(arguments: ["", "{", #"{"version":1}"#, nil])
    func `a damaged or missing state is replaced by its copy, and a removed one is not`(content: String?) throws {
        let (journal, scratch) = try folder(.injector)
        let state = ClaimState(claim: Self.plan.claim, attachments: [])
        try journal.write(state)
        let file = scratch("states/states/u-1.json")
        func spoil() throws { if let content { try Files.write(file, content) } else { try Files.remove(file) } }
        try spoil()
        #expect(try journal.state("u-1") == state)
        try spoil()
        #expect(journal.states().states == [state] && journal.hasState("u-1"))
        try spoil()
        // The program that writes states notices the damage, and rewrites the file.
        let loaded = journal.loadStates()
        #expect(loaded.states == [state] && loaded.damaged.count == (content == nil ? 0 : 1))
        #expect(Files.exists(file))
        try Files.write(scratch("states/states/u-1.json.copy"), "x")
        #expect(journal.states().states == [state] && journal.states().damaged.isEmpty)
        try journal.removeState("u-1")
        #expect(journal.states().states.isEmpty && !journal.hasState("u-1"))
        #expect(Files.list(scratch("states/states")).filter { !$0.hasSuffix(".damaged") }.isEmpty)
    }

    @Test
    func `a file of a newer program stays unchanged`() throws {
        let (journal, scratch) = try folder()
        try Files.write(scratch("journal/plans/u-2.json"), #"{"version":99,"new":true}"#)
        #expect(journal.plans().damaged.map(\.code) == [.newer] && journal.plans().damaged.map(\.text) == [.newerVersion])
        #expect(Files.exists(scratch("journal/plans/u-2.json")))
    }

    @Test(arguments: ["../x", "", "a/b", "a.b", String(repeating: "a", count: 200)])
    func `a UID that is not a valid file name is refused`(uid: String) throws {
        let (journal, scratch) = try folder()
        let error = #expect(throws: JournalError.self) { try journal.plan(uid) }
        #expect(error?.code == .invalidUID)
        withExtendedLifetime(scratch) {}
    }

    @Test
    func `a replaced file has the new or the old content, and no temporary file remains`() throws {
        let scratch = try ScratchFolder()
        try Files.replace(scratch("a.json"), with: [1, 2, 3])
        try Files.replace(scratch("a.json"), with: [4])
        #expect(try Files.read(scratch("a.json")) == [4])
        #expect(Files.list(scratch.path) == ["a.json"])
        // The names of temporary files are random, so that a prepared file in their place is never written to.
        try Files.write(scratch(".a.json.1"), "x")
        try Files.replace(scratch("a.json"), with: [5])
        #expect(try Files.readText(scratch(".a.json.1")) == "x")
        #expect(throws: SystemError.self) { try Files.replace("/nonexistent/a", with: []) }
    }

    @Test
    func `only old temporary files of killed programs are removed`() throws {
        let scratch = try ScratchFolder()
        for name in [".a.json.12", ".a.json.9f3e5d7c1b2a4860", ".keep", ".x.lock", "a.json.12"] { try Files.write(scratch(name), "") }
        try Files.makeFolder(scratch(".b.12"))
        Files.removeLeftovers(in: scratch.path)
        #expect(Files.list(scratch.path).count == 6)
        Files.removeLeftovers(in: scratch.path, olderThan: .zero)
        #expect(Files.list(scratch.path) == [".b.12", ".keep", ".x.lock", "a.json.12"])
    }

    @Test(arguments: ["../secret", "a/../../secret", "link", "folder/secret", "/etc/hostname", "."])
    func `a setting is written only below its folder, and through no symbolic link`(path: String) throws {
        let scratch = try ScratchFolder()
        try Files.makeFolder(scratch("net/a"))
        try Files.write(scratch("secret"), "x")
        try Files.write(scratch("net/a/setting"), "0")
        try Files.makeLink(scratch("net/link"), to: scratch("secret"))
        try Files.makeLink(scratch("net/folder"), to: scratch.path)
        #expect(throws: SystemError.self) { try Files.overwrite(path, below: scratch("net"), "owned") }
        #expect(try Files.readText(scratch("secret")) == "x")
        try Files.overwrite("a/setting", below: scratch("net"), "1")
        #expect(try Files.readText(scratch("net/a/setting")) == "1")
    }

    @Test
    func `a journal belongs to the first driver that used it`() throws {
        let (journal, scratch) = try folder()
        try journal.take(for: "dra.nearside")
        try journal.take(for: "dra.nearside")
        let error = #expect(throws: JournalError.self) { try journal.take(for: "other.example.com") }
        #expect(error?.code == .otherDriver && error?.remedy?.hasPrefix("set another --journal for other.example.com") == true)
        withExtendedLifetime(scratch) {}
    }

    @Test
    func `only one of several drivers that start at once on one journal gets it`() throws {
        for round in 0..<20 {
            let (journal, scratch) = try folder()
            let winners = Mutex<[String]>([])
            let finished = DispatchSemaphore(value: 0)
            for number in 0..<4 {
                try KernelThread.start {
                    let driver = "driver\(number).example.com"
                    do throws(JournalError) {
                        try journal.take(for: driver)
                        winners.withLock { $0.append(driver) }
                    } catch {}
                    finished.signal()
                }
            }
            for _ in 0..<4 { finished.wait() }
            let owner = winners.withLock { $0 }
            #expect(owner.count == 1, "round \(round): \(owner)")
            #expect(try Files.readText(scratch("journal/driver")) == "\(owner.first ?? "")\n")
        }
    }

    @Test
    func `a link or a pipe in the place of a plan is refused by the daemon that does not write plans`() throws {
        let (node, scratch) = try folder()
        let injector = try other(scratch, .injector)
        try node.write(Self.plan)
        #expect(try injector.plan("u-1") == Self.plan)
        let file = scratch("journal/plans/u-1.json")
        try Files.replace(scratch("elsewhere"), with: try Files.read(file))
        try Files.remove(file)
        #expect(try injector.plan("u-1") == nil)
        try Files.makeLink(file, to: scratch("elsewhere"))
        #expect(throws: JournalError.self) { try injector.plan("u-1") }
        try Files.remove(file)
        #expect(mkfifo(file, 0o600) == 0)
        #expect(throws: JournalError.self) { try injector.plan("u-1") }
        // A link in the place of the folder.
        try Files.remove(file)
        #expect(rmdir(scratch("journal/plans")) == 0)
        try Files.makeFolder(scratch("other"))
        try Files.replace(scratch("other/u-1.json"), with: try Files.read(scratch("elsewhere")))
        try Files.makeLink(scratch("journal/plans"), to: scratch("other"))
        #expect(throws: JournalError.self) { try injector.plan("u-1") }
    }

    @Test
    func `a CDI specification has the fields that runtimes read`() throws {
        let scratch = try ScratchFolder()
        let spec = Spec(
            kind: "dra.nearside/claim",
            devices: [
                SpecDevice(
                    name: "u", containerEdits: ContainerEdits(env: ["A=b"], deviceNodes: [DeviceNode(path: "/dev/x", major: 1, minor: 3)]))
            ],
            containerEdits: ContainerEdits(hooks: [Hook(hookName: "createRuntime", path: "/g", args: ["g"], timeout: 30)]))
        let folder = SpecFolder(scratch("cdi"))
        try folder.write(spec, named: "x")
        #expect(
            try Files.readText(scratch("cdi/x.json")).filter { !$0.isWhitespace }
                == #"{"cdiVersion":"0.5.0","containerEdits":{"hooks":[{"args":["g"],"hookName":"createRuntime","path":"/g","timeout":30}]},"devices":[{"containerEdits":{"deviceNodes":[{"major":1,"minor":3,"path":"/dev/x","permissions":"rw","type":"c"}],"env":["A=b"]},"name":"u"}],"kind":"dra.nearside/claim"}"#
        )
        try folder.remove(named: "x")
        #expect(folder.names().isEmpty)
    }
}
