// SPDX-License-Identifier: Apache-2.0

import Attachment
import CDI
import Glibc
import Hardware
import JournalModel
import Linux
import Testbed
import Testing

/// CDI specifications of plans, and refusals of untrusted plans.
struct SpecificationTests {
    private static let gate = GateHook(path: "/opt/gate", socket: "/run/nri.sock", timeout: .seconds(30))
    private static let planner = SpecPlanner(driver: "dra.nearside", gate: gate, workloads: "/run/w")

    private static func plan() -> ClaimPlan {
        var device = DevicePlan(
            pool: "node", device: "pci-0000-0c-00-0", request: "nic/fast", shareID: "aaaaaaaa-1", cdiDeviceIDs: [],
            interface: InterfacePlan(hostName: "ib0", name: "net1"))
        device.access = DeviceAccess(address: "0000:0c:00.0", nodes: [NodePlan(path: "/dev/infiniband/uverbs0", major: 231, minor: 192)])
        var plan = ClaimPlan(claim: ClaimIdentity(namespace: "ns", name: "c", uid: "u1"), pods: ["p1"], devices: [device])
        plan.containers = ContainerPlan(
            environment: ["NCCL_IB_HCA": "=mlx5_0:1"], hasTopology: true, describedRequests: ["nic"], podClaimName: "mine")
        return plan
    }

    @Test
    func `a plan becomes a specification with the gate of this program's options`() throws {
        let spec = try #require(try Self.planner.spec(Self.plan()))
        #expect(spec.kind == "dra.nearside/claim")
        #expect(spec.containerEdits?.env == ["NCCL_IB_HCA==mlx5_0:1", "NCCL_TOPO_FILE=/var/run/nearside/nccl-topology.xml"])
        #expect(spec.containerEdits?.hooks?.map(\.path) == ["/opt/gate"])
        #expect(spec.containerEdits?.hooks?.first?.args == ["nearside-gate", "--claim", "u1", "--socket", "/run/nri.sock"])
        #expect(spec.devices.map(\.name) == ["u1-pci-0000-0c-00-0-aaaaaaaa"])
        #expect(spec.devices[0].containerEdits.env == ["NEARSIDE_PCI_0000_0C_00_0=net1"])
        #expect(spec.devices[0].containerEdits.mounts?.map(\.hostPath) == ["/run/w/u1_nic.json"])
        #expect(
            spec.devices[0].containerEdits.mounts?.map(\.containerPath) == [
                "/var/run/kubernetes.io/dra-device-attributes/resourceclaimtemplates/mine/nic/dra.nearside-metadata.json"
            ])
        var old = Self.plan()
        old.containers = nil
        #expect(try Self.planner.spec(old) == nil, "a version that wrote specifications itself made this plan")
    }

    private static let mutations: [(String, @Sendable (inout ClaimPlan) -> Void)] = [
        ("claim.uid", { $0.claim.uid = "../u" }),
        ("claim.name", { $0.claim.name = "../../etc" }),
        ("devices.device", { $0.devices[0].device = "x/../y" }),
        ("devices.shareID", { $0.devices[0].shareID = "=nvidia.com/gpu" }),
        ("devices", { $0.devices.append($0.devices[0]) }),
        ("devices", { plan in plan.devices = (0..<600).map { _ in plan.devices[0] } }),
        (
            "nodes",
            { plan in plan.devices[0].access?.nodes = (0..<65).map { NodePlan(path: "/dev/infiniband/uverbs\($0)", major: 231, minor: 1) } }
        ),
        ("containers.environment", { $0.containers?.environment["LD_PRELOAD"] = "/x.so" }),
        ("containers.environment.NCCL_IB_HCA", { $0.containers?.environment["NCCL_IB_HCA"] = "a\nLD_PRELOAD=/x.so" }),
        ("containers.environment.NCCL_IB_HCA", { $0.containers?.environment["NCCL_IB_HCA"] = String(repeating: "a", count: 20_000) }),
        ("containers.podClaimName", { $0.containers?.podClaimName = "../../../../../../usr/local/lib" }),
        ("containers.describedRequests", { $0.containers?.describedRequests = ["../u2"] }),
        ("containers.describedRequests", { $0.containers?.describedRequests = ["other"] }),
        ("name", { $0.devices[0].interface?.name = "a b" }),
    ]

    @Test(arguments: mutations.indices)
    func `a malformed text refuses the whole plan, and the refusal names the field`(index: Int) throws {
        let (field, mutate) = Self.mutations[index]
        var plan = Self.plan()
        mutate(&plan)
        let error = #expect(throws: SpecRefusal.self) { try Self.planner.spec(plan) }
        #expect(error?.code == .malformed && error?.object.contains(field) == true, "\(error?.description ?? "")")
    }

    // MARK: Device nodes

    private static func nodes(_ device: Device) -> [NodePlan] {
        (device.charDevices + device.sharedCharDevices).map { NodePlan(path: $0.path, major: $0.major, minor: $0.minor) }
    }

    /// Machines whose captures lack device nodes, with the nodes that their drivers create.
    private static func equipped(_ name: String) throws -> Machine {
        var machine = try #require(try MachineDescription.embedded(name)).machine
        for (number, index) in machine.functions.indices.filter({ Catalog.acceleratorFamily(machine.functions[$0]) != nil }).enumerated() {
            let minor = UInt32(number)
            switch name {
            case "aws-trn1-2xl":
                machine.functions[index].charDevices = [CharDevice(path: "/dev/neuron\(number)", major: 239, minor: minor)]
            case "mi300a":
                machine.functions[index].charDevices = [
                    CharDevice(path: "/dev/dri/card\(number)", major: 226, minor: minor),
                    CharDevice(path: "/dev/dri/renderD\(128 + number)", major: 226, minor: 128 + minor),
                ]
                machine.sharedCharDevices = [CharDevice(path: "/dev/kfd", major: 240, minor: 0)]
            case "aws-p4d":
                machine.functions[index].driver = "vfio-pci"
                machine.functions[index].iommuGroup = 40 + number
                machine.functions[index].charDevices = [
                    CharDevice(path: "/dev/vfio/\(40 + number)", major: 511, minor: minor),
                    CharDevice(path: "/dev/vfio/devices/vfio\(number)", major: 510, minor: minor),
                ]
                machine.sharedCharDevices = [CharDevice(path: "/dev/vfio/vfio", major: 10, minor: 196)]
            case "dgx-2":
                machine.functions[index].charDevices = [
                    CharDevice(path: "/dev/accel/accel\(number)", major: 261, minor: 2 * minor),
                    CharDevice(path: "/dev/accel/accel_controlD\(number)", major: 261, minor: 2 * minor + 1),
                ]
            default: break
            }
        }
        return machine
    }

    @Test(arguments: ["hgx-a100", "aws-p5", "azure-nd-gb300", "aws-trn1-2xl", "mi300a", "aws-p4d", "dgx-2"])
    func `a device's own nodes are accepted; another device's nodes and other numbers are refused`(name: String) throws {
        let machine = try Self.equipped(name)
        let scratch = try ScratchFolder()
        try TreeWriter.write(machine, to: scratch.path)
        let check = DeviceNodeCheck(root: scratch.path)
        let devices = machine.devices.filter { !Self.nodes($0).isEmpty }
        #expect(!devices.isEmpty)
        for device in devices {
            for node in Self.nodes(device) {
                try check.check(node, of: device.address)
                var other = node
                other.minor += 1
                #expect(throws: SpecRefusal.self, "\(node)") { try check.check(other, of: device.address) }
                let isShared = device.sharedCharDevices.contains { $0.path == node.path }
                for stranger in machine.devices where stranger.address != device.address && !isShared {
                    let error = #expect(throws: SpecRefusal.self) { try check.check(node, of: stranger.address) }
                    #expect(error?.code == .foreignNode)
                }
            }
        }
    }

    @Test(arguments: [
        "/dev/mem", "/dev/sda", "/dev/kvm", "/dev/infiniband/uverbs", "/dev/infiniband/../sda", "/dev/infiniband/uverbs0/..",
        "/dev/vfio/0x",
        "dev/nvidia0", "", "/dev/nvidia00000000000",
    ])
    func `a node that is not in the table is refused with any numbers`(path: String) throws {
        let machine = try #require(try MachineDescription.embedded("hgx-a100")).machine
        let scratch = try ScratchFolder()
        try TreeWriter.write(machine, to: scratch.path)
        let device = try #require(machine.devices.first { $0.kind == .nic })
        let own = try #require(device.charDevices.first)
        let check = DeviceNodeCheck(root: scratch.path)
        #expect(throws: SpecRefusal.self) { try check.check(NodePlan(path: path, major: own.major, minor: own.minor), of: device.address) }
        for address in ["", "..", "../../../..", "0000:0c:00.0/../x", "0000:0c:00.0/sf../x", "0000:0c:00"] {
            #expect(throws: SpecRefusal.self) {
                try check.check(NodePlan(path: own.path, major: own.major, minor: own.minor), of: address)
            }
        }
    }

    @Test
    func `a symbolic link in sysfs to another function is not a part of the function`() throws {
        let scratch = try ScratchFolder()
        let node = NodePlan(path: "/dev/infiniband/uverbs0", major: 231, minor: 192)
        let devices = scratch("sys/bus/pci/devices")
        try Files.makeFolder("\(devices)/0000:01:00.0/infiniband_verbs/uverbs0")
        try Files.write("\(devices)/0000:01:00.0/infiniband_verbs/uverbs0/dev", "231:192\n")
        try Files.makeFolder("\(devices)/0000:01:00.2")
        try Files.makeLink("\(devices)/0000:01:00.2/physfn", to: "../0000:01:00.0")
        let check = DeviceNodeCheck(root: scratch.path)
        try check.check(node, of: "0000:01:00.0")
        for address in ["0000:01:00.2", "0000:01:00.2/sfphysfn"] {
            #expect(throws: SpecRefusal.self, "\(address)") { try check.check(node, of: address) }
        }
    }

    // MARK: Files

    private static func publisher(_ scratch: ScratchFolder) -> SpecPublisher {
        SpecPublisher(
            SpecPlanner(driver: "dra.nearside", gate: gate, workloads: scratch("copies")),
            check: DeviceNodeCheck(root: scratch("host")), folder: SpecFolder(scratch("cdi")), source: scratch("workloads"))
    }

    private static func plainPlan() -> ClaimPlan {
        var plan = plan()
        plan.devices[0].access?.nodes = []
        plan.containers?.describedRequests = []
        return plan
    }

    @Test
    func `a link or a pipe in the place of a workload file is refused, and a regular file is copied`() throws {
        let scratch = try ScratchFolder()
        try Files.makeFolder(scratch("workloads"))
        let publisher = Self.publisher(scratch)
        try Files.write(scratch("secret"), "secret")
        try Files.makeLink(scratch("workloads/u1.xml"), to: scratch("secret"))
        var error = #expect(throws: SpecRefusal.self) { try publisher.publish(Self.plainPlan()) }
        #expect(error?.code == .unusableFile)
        try Files.remove(scratch("workloads/u1.xml"))
        #expect(mkfifo(scratch("workloads/u1.xml"), 0o600) == 0)
        error = #expect(throws: SpecRefusal.self) { try publisher.publish(Self.plainPlan()) }
        #expect(error?.code == .unusableFile)
        #expect(Files.list(scratch("cdi")).isEmpty && Files.list(scratch("copies")).isEmpty)
        try Files.remove(scratch("workloads/u1.xml"))
        try Files.write(scratch("workloads/u1.xml"), "<system/>")
        try publisher.publish(Self.plainPlan())
        #expect(try Files.readText(scratch("copies/u1.xml")) == "<system/>")
        #expect(try Files.readText(scratch("cdi/dra.nearside-u1.json")).contains(scratch("copies/u1.xml")))
        try publisher.withdraw("u1")
        #expect(Files.list(scratch("cdi")).isEmpty && Files.list(scratch("copies")).isEmpty)
    }

    @Test
    func `a start restores lost specifications, removes those without a plan, and keeps those of other drivers and unreadable plans`()
        throws
    {
        let scratch = try ScratchFolder()
        for folder in ["workloads", "cdi", "copies"] { try Files.makeFolder(scratch(folder)) }
        try Files.write(scratch("workloads/u1.xml"), "<system/>")
        for name in ["dra.nearside-gone.json", "dra.nearside-lost.json", "nvidia.json", "dra.nearside.other-u.yaml"] {
            try Files.write(scratch("cdi/\(name)"), "{}")
        }
        try Files.write(scratch("cdi/dra.nearside-lab.example-u1.json"), #"{"kind": "dra.nearside-lab.example/claim"}"#)
        try Files.write(scratch("copies/gone_nic.json"), "{}")
        #expect(Self.publisher(scratch).restore([Self.plainPlan()], unreadable: ["lost"]).isEmpty)
        #expect(
            Files.list(scratch("cdi")) == [
                "dra.nearside-lab.example-u1.json", "dra.nearside-lost.json", "dra.nearside-u1.json", "dra.nearside.other-u.yaml",
                "nvidia.json",
            ])
        #expect(Files.list(scratch("copies")) == ["u1.xml"])
        // A file with equal content is not rewritten, because runtimes read the folder after each change.
        let stamp = try Files.stamp(scratch("cdi/dra.nearside-u1.json"))
        #expect(Self.publisher(scratch).restore([Self.plainPlan()], unreadable: ["lost"]).isEmpty)
        #expect(try Files.stamp(scratch("cdi/dra.nearside-u1.json")) == stamp)
        var released = Self.plainPlan()
        released.phase = .released
        released.containers?.environment = ["LD_PRELOAD": "x"]
        #expect(Self.publisher(scratch).restore([released], unreadable: ["lost"]).isEmpty, "the plan of a released claim is not published")
        released.phase = .prepared
        #expect(Self.publisher(scratch).restore([released], unreadable: ["lost"]).map(\.code) == [.specification])
    }
}
