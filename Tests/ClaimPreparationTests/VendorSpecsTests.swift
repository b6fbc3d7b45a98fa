// SPDX-License-Identifier: Apache-2.0

import ClaimPreparation
import Hardware
import Linux
import Testbed
import Testing

/// CDI specifications of vendors' tools, in files of one document and of several.
struct VendorSpecsTests {
    private static let gpu = """
        cdiVersion: 0.5.0
        kind: nvidia.com/gpu
        devices:
        - name: GPU-1

        """
    private static let other = """
        cdiVersion: 0.5.0
        kind: example.com/other
        devices:
        - name: GPU-2

        """

    private func names(_ text: String) throws -> [String: String] {
        let folder = try ScratchFolder()
        try Files.write(folder("specs.yaml"), text)
        var devices: [String: Device] = [:]
        for number in 1...2 {
            var function = PCIFunction(
                address: PCIAddress(domain: 0, bus: UInt8(number), device: 0, function: 0), vendor: "10de", device: "2330",
                classCode: "030200")
            function.accelerator = AcceleratorFacts(uuid: "GPU-\(number)")
            devices["gpu-\(number)"] = Device(
                address: function.address.description, kind: .accelerator, function: function, netdevs: [])
        }
        return VendorSpecs(folders: [folder.path]).names(for: devices)
    }

    @Test
    func `names count only in the document of their kind, at any place in the file`() throws {
        let found = ["gpu-1": "nvidia.com/gpu=GPU-1"]
        #expect(try names(Self.gpu) == found)
        #expect(try names(Self.gpu + "---\n" + Self.other) == found)
        #expect(try names(Self.other + "---\n" + Self.gpu) == found)
        #expect(try names(Self.other).isEmpty)
    }
}
