// SPDX-License-Identifier: Apache-2.0

import Discovery
import Glibc
import Hardware
import Inspection
import Linux
import Testbed
import Testing

/// Missing, empty, unreadable, absurd or endless files: the device or the attribute is skipped.
struct SysfsNoiseTests {
    /// A tree of the zoo, and every file in it.
    private func tree() throws -> (folder: ScratchFolder, files: [String], machine: Machine) {
        let machine = try Zoo.machine()
        let folder = try ScratchFolder()
        try TreeWriter.write(machine, to: folder.path)
        let files = SysfsLayout(machine).entries.compactMap { if case .file(let path, _) = $0 { path } else { nil } }
        return (folder, files, machine)
    }

    private static let noises: [[UInt8]] = [
        [], [0], [0xff, 0xfe, 0xff], Array("-1\n".utf8), Array("garbage\n".utf8), Array("99999999999999999999999999\n".utf8),
        Array("0x\n".utf8), Array(":\n".utf8), Array("4294967295\n".utf8), Array("255\n".utf8), Array("\n\n\n".utf8),
        [UInt8](repeating: UInt8(ascii: "9"), count: 5000), Array("16.0.0.0 GT/s\n".utf8), Array("Unknown\n".utf8),
        Array("1:2:3\n".utf8), Array("../../..\n".utf8),
    ]

    @Test
    func `damage to any file affects at most the file's own device`() throws {
        let (folder, files, machine) = try tree()
        let intact = try Discovery(root: .captured(at: folder.path)).snapshot().machine
        var generator = SplitMix(seed: 20_261_123)
        for file in files {
            let original = try Files.read(folder(file))
            for _ in 0..<3 {
                let noise = Self.noises[Int.random(in: 0..<Self.noises.count, using: &generator)]
                try Files.write(folder(file), noise)
                let found = try Discovery(root: .captured(at: folder.path)).snapshot()
                // The function of the file, and functions that are known only through it.
                let touched = found.machine.functions.count { function in intact[function.address] != function }
                #expect(touched <= 4, "\(file) with \(noise.prefix(20))")
                #expect(found.machine.functions.count >= machine.functions.count - 1, "\(file) with \(noise.prefix(20))")
                #expect(found.warnings.count <= 8, "\(file): \(found.warnings)")
            }
            try Files.write(folder(file), original)
        }
    }

    @Test
    func `folders, endless files, pipes and loops in the place of files do not stop the discovery`() throws {
        let (folder, files, machine) = try tree()
        var generator = SplitMix(seed: 7)
        for file in files.shuffled(using: &generator).prefix(120) {
            let original = try Files.read(folder(file))
            for kind in 0..<4 {
                try Files.remove(folder(file))
                switch kind {
                case 0: try Files.makeFolder(folder(file))
                case 1: try Files.makeLink(folder(file), to: "/dev/zero")
                case 2: mkfifo(folder(file), 0o644)
                default: try Files.makeLink(folder(file), to: file.split(separator: "/").last.map(String.init) ?? "")
                }
                let found = try Discovery(root: .captured(at: folder.path)).snapshot()
                #expect(found.machine.functions.count >= machine.functions.count - 1, "\(file), kind \(kind)")
                ScratchFolder.removeTree(folder(file))
            }
            try Files.write(folder(file), original)
        }
    }

    @Test
    func `random bytes in all files give a machine, and never a trap`() throws {
        let (folder, files, _) = try tree()
        var generator = SplitMix(seed: 42)
        for _ in 0..<20 {
            for file in files where Bool.random(using: &generator) {
                let count = Int.random(in: 0...64, using: &generator)
                try Files.write(folder(file), (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) })
            }
            let found = try Discovery(root: .captured(at: folder.path)).snapshot()
            #expect(found.warnings.count <= 64)
            // The machine is encoded as a description, which decodes as the same machine.
            let json = try MachineDescription(machine: found.machine).json()
            let read = try MachineDescription(json: json).machine
            #expect(try differences(read, found.machine) == [])
        }
    }

    @Test(
        arguments: [
            ("numa_node", "-1", nil), ("numa_node", "0", 0), ("numa_node", "1", 1), ("numa_node", "-2", nil),
            ("numa_node", "99999999999", nil), ("numa_node", " 1 ", 1), ("numa_node", "one", nil),
        ] as [(String, String, Int?)])
    func `a NUMA node is a number from 0 on, or unknown`(file: String, text: String, node: Int?) throws {
        let (folder, _, _) = try tree()
        try Files.write(folder("sys/devices/pci0000:20/0000:24:00.0/\(file)"), text + "\n")
        let found = try Discovery(root: .captured(at: folder.path)).snapshot().machine
        #expect(found[try Zoo.address("0000:24:00.0")]?.numaNode == node)
    }
}
