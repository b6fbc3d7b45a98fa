// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// Traffic control programs that are attached directly to an interface (TCX, Linux 6.6), which netlink does not list.
package enum InterfaceHooks {
    /// BPF_TCX_INGRESS and BPF_TCX_EGRESS (linux/bpf.h, enum bpf_attach_type).
    private static let hooks: [UInt32] = [46, 47]
    /// The limit of programs on a hook: BPF_MPROG_MAX (linux/bpf_mprog.h).
    private static let most = 64
    /// The number of rounds, for a process that attaches its programs again.
    private static let attempts = 4

    /// Detaches all programs from an interface in the thread's namespace. Needs CAP_SYS_ADMIN. Does nothing if the kernel has no such
    /// hooks, or no bpf(2).
    ///
    /// - Parameter kept: ids of programs that stay.
    /// - Throws: ``SystemError`` with EBUSY if programs are attached again after four rounds.
    package static func detachAll(from interface: Int32, except kept: [UInt32] = []) throws(SystemError) {
        for hook in hooks {
            var attempt = 0
            while let programs = try list(UInt32(bitPattern: interface), hook)?.filter({ !kept.contains($0.number) }), !programs.isEmpty {
                attempt += 1
                if attempt > attempts { throw SystemError("detach programs attached again", "interface \(interface)", code: EBUSY) }
                // In reverse order, so that no program ever runs without its predecessors.
                for program in programs.reversed() { try detach(program, UInt32(bitPattern: interface), hook) }
            }
        }
    }

    /// Returns the ids of the programs on both hooks of an interface in the thread's namespace.
    package static func programs(on interface: Int32) throws(SystemError) -> [UInt32] {
        var numbers: [UInt32] = []
        for hook in hooks { numbers += try list(UInt32(bitPattern: interface), hook)?.map(\.number) ?? [] }
        return numbers
    }

    /// Detaches an XDP program that is attached by a BPF link, which netlink refuses (EBUSY).
    ///
    /// The kernel cannot list the links of an interface, so that all links of the machine are checked.
    package static func detachXDPLinks(of program: UInt32, from interface: Int32) throws(SystemError) {
        var number: UInt32 = 0
        while let next = UInt32(exactly: CLinux_next_link(number)), next > number {
            number = next
            let raw = CLinux_open_program(number, 1)
            // The link may have ended.
            guard raw >= 0 else { continue }
            let link = Descriptor(owning: raw)
            var (kind, held, place) = (UInt32(0), UInt32(0), UInt32(0))
            // SAFETY: the call stays within the size of each argument, and keeps no pointer.
            guard unsafe CLinux_describe_link(link.raw, &kind, &held, &place) == 0, kind == xdpLink, held == program,
                place == UInt32(bitPattern: interface)
            else { continue }
            if CLinux_detach_link(link.raw) != 0, errno != ENOENT { throw SystemError("detach", "XDP program \(program)") }
        }
    }

    /// BPF_LINK_TYPE_XDP (linux/bpf.h).
    private static let xdpLink: UInt32 = 6

    private struct Program {
        var number: UInt32
        /// The id of the BPF link; 0 for none.
        var link: UInt32
    }

    /// Returns the programs on a hook; nil if the kernel lacks the hook.
    private static func list(_ interface: UInt32, _ hook: UInt32) throws(SystemError) -> [Program]? {
        var programs = [UInt32](repeating: 0, count: most)
        var links = programs
        var count = UInt32(most)
        guard unsafe CLinux_query_hook(interface, hook, &programs, &links, &count) == 0 || errno == ENOSPC else {
            if errno == EINVAL || errno == ENOSYS { return nil }
            throw SystemError("list programs", "interface \(interface)")
        }
        return zip(programs, links).prefix(Int(min(count, UInt32(most)))).map { Program(number: $0, link: $1) }
    }

    private static func detach(_ program: Program, _ interface: UInt32, _ hook: UInt32) throws(SystemError) {
        let isLink = program.link != 0
        let raw = CLinux_open_program(isLink ? program.link : program.number, isLink ? 1 : 0)
        guard raw >= 0 else {
            // The program may have been detached.
            if errno == ENOENT { return }
            throw SystemError("open", "program \(program.number)")
        }
        let held = Descriptor(owning: raw)
        let result = isLink ? CLinux_detach_link(held.raw) : CLinux_detach_program(interface, hook, held.raw)
        if result != 0, errno != ENOENT { throw SystemError("detach", "program \(program.number)") }
    }
}
