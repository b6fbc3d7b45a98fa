// SPDX-License-Identifier: Apache-2.0

import Addressing
import CDI
import Journal
import Linux
import Netlink
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

    private func folder() throws -> (JournalFolder, ScratchFolder) {
        let scratch = try ScratchFolder()
        let journal = JournalFolder(scratch("journal"))
        try journal.make()
        return (journal, scratch)
    }

    @Test
    func `plans and states read back what was written`() throws {
        let (journal, scratch) = try folder()
        try journal.write(Self.plan)
        #expect(try journal.plan("u-1") == Self.plan)
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
        try journal.write(state)
        #expect(try journal.state("u-1") == state)
        try journal.removeState("u-1")
        try journal.removePlan("u-1")
        try journal.removePlan("u-1")
        #expect(journal.plans().plans.isEmpty && journal.states().states.isEmpty)
        withExtendedLifetime(scratch) {}
    }

    @Test(arguments: ["", "{", "[]", #"{"version":1}"#, "\u{0}"])
    func `a damaged file is set aside, told of once, and stops nothing`(content: String) throws {
        let (journal, scratch) = try folder()
        try journal.write(Self.plan)
        try Files.write(scratch("journal/plans/u-2.json"), content)
        let (plans, damaged) = journal.plans()
        #expect(plans == [Self.plan])
        #expect(damaged.count == 1)
        #expect(damaged.first?.description.contains("is damaged and was set aside as") == true)
        #expect(journal.plans().damaged.isEmpty)
        #expect(try Files.readText(scratch("journal/plans/u-2.json.damaged")) == content)
    }

    @Test(arguments: ["", "{", #"{"version":1}"#, nil])
    func `a state that is damaged or gone is made up for by its copy, and one that is over is not`(content: String?) throws {
        let (journal, scratch) = try folder()
        let state = ClaimState(claim: Self.plan.claim, attachments: [])
        try journal.write(state)
        let file = scratch("journal/states/u-1.json")
        func spoil() throws { if let content { try Files.write(file, content) } else { try Files.remove(file) } }
        try spoil()
        #expect(try journal.state("u-1") == state)
        try spoil()
        #expect(journal.states().states == [state] && journal.hasState("u-1"))
        journal.mend([state])
        #expect(Files.exists(file))
        try Files.write(scratch("journal/states/u-1.json.copy"), "x")
        #expect(journal.states().states == [state] && journal.states().damaged.isEmpty)
        try journal.removeState("u-1")
        #expect(journal.states().states.isEmpty && !journal.hasState("u-1"))
        #expect(Files.list(scratch("journal/states")).filter { !$0.hasSuffix(".damaged") }.isEmpty)
    }

    @Test
    func `a file of a newer program is left as it is`() throws {
        let (journal, scratch) = try folder()
        try Files.write(scratch("journal/plans/u-2.json"), #"{"version":99,"new":true}"#)
        #expect(journal.plans().damaged.map(\.text) == ["has version 99; this program knows version 1"])
        #expect(Files.exists(scratch("journal/plans/u-2.json")))
    }

    @Test(arguments: ["../x", "", "a/b", "a.b", String(repeating: "a", count: 200)])
    func `a UID that is no file name is refused`(uid: String) throws {
        let (journal, scratch) = try folder()
        #expect(throws: JournalError.self) { try journal.plan(uid) }
        withExtendedLifetime(scratch) {}
    }

    @Test
    func `a replaced file is whole or old, and leaves no temporary file`() throws {
        let scratch = try ScratchFolder()
        try Files.replace(scratch("a.json"), with: [1, 2, 3])
        try Files.replace(scratch("a.json"), with: [4])
        #expect(try Files.read(scratch("a.json")) == [4])
        #expect(Files.list(scratch.path) == ["a.json"])
        #expect(throws: SystemError.self) { try Files.replace("/nonexistent/a", with: []) }
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
