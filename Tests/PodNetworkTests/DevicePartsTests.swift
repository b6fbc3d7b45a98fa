// SPDX-License-Identifier: Apache-2.0

import Glibc
import Linux
import PodNetwork
import Testbed
import Testing

/// Plans that name another device's RDMA device, checked with sysfs.
struct DevicePartsTests {
    private static let bus = "devices/pci0000:00"

    /// A host's NIC with the default route, a tenant's with a virtual function, and a sub-function of the tenant's.
    private func sysfs() throws -> ScratchFolder {
        let scratch = try ScratchFolder("sysfs")
        let nics = ["0000:00:05.0/net/eth0", "0000:00:06.0/net/nic0", "0000:00:06.1/net/vf0"]
        let devices = ["0000:00:05.0/infiniband/mlx5_0", "0000:00:06.0/infiniband/mlx5_1", "0000:00:06.0/mlx5_core.sf.2/infiniband/mlx5_2"]
        for folder in ["class/infiniband", "bus/pci/devices"] + (nics + devices).map({ "\(Self.bus)/\($0)" }) {
            try Files.makeFolder(scratch(folder))
        }
        func link(_ target: String, _ path: String) throws { #expect(symlink(target, scratch(path)) == 0) }
        for device in devices { try link("../../\(Self.bus)/\(device)", "class/infiniband/\(device.split(separator: "/").last ?? "")") }
        for function in ["0000:00:05.0", "0000:00:06.0", "0000:00:06.1"] {
            try link("../../../\(Self.bus)/\(function)", "bus/pci/devices/\(function)")
        }
        try link("../0000:00:06.0", "\(Self.bus)/0000:00:06.1/physfn")
        try link("../0000:00:06.1", "\(Self.bus)/0000:00:06.0/virtfn0")
        return scratch
    }

    @Test
    func `an RDMA device moves only with its own device, together with the interfaces that depend on it`() throws {
        let scratch = try sysfs()
        let parts = DeviceParts(sysfs: scratch.path)
        #expect(try parts.interfaces(ofRDMADevice: "mlx5_0", of: "0000:00:05.0") == ["eth0"])
        #expect(try parts.interfaces(ofRDMADevice: "mlx5_1", of: "0000:00:06.0") == ["nic0"])
        #expect(try parts.interfaces(ofRDMADevice: "mlx5_2", of: "mlx5_core.sf.2") == [])
        #expect(try parts.interfaces(ofRDMADevice: "mlx5_2", of: "0000:00:06.0/sf88") == [])
        for (name, device) in [
            ("mlx5_0", "0000:00:06.0"), ("mlx5_2", "0000:00:06.0"), ("mlx5_2", "0000:00:05.0/sf88"), ("none", "0000:00:06.0"),
            ("../../class/infiniband/mlx5_1", "0000:00:06.0"), ("..", ".."), ("", ""), ("mlx5_0", nil),
        ] {
            #expect(throws: PodNetworkError.self, "\(name) \(device ?? "")") {
                try parts.interfaces(ofRDMADevice: name, of: device)
            }
        }
    }

    @Test
    func `interfaces of a device's virtual functions are found`() throws {
        let scratch = try sysfs()
        let parts = DeviceParts(sysfs: scratch.path)
        #expect(parts.virtualInterfaces(of: "0000:00:06.0") == ["vf0"])
        for device in ["0000:00:05.0", "0000:00:06.1", "../devices/0000:00:06.0", "..", ""] {
            #expect(parts.virtualInterfaces(of: device).isEmpty, "\(device)")
        }
    }
}
