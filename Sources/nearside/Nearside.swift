// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

@main
struct Nearside: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nearside",
        abstract: "Shows which NIC is on the near side of which accelerator.",
        discussion: """
            Examples:
              nearside pairs                        the pairs of this machine
              nearside topology --machine hgx-a100  a machine type
              nearside explain default/my-claim     a claim against the best
              nearside doctor                       what to do for more speed
            All take this machine, --host-root DIR, --machine NAME or FILE.
            Exit status: 0 well; 1 something cannot be read or used;
            2 doctor or explain found something; 64 wrong use.
            """,
        subcommands: [
            TopologyCommand.self, PairsCommand.self, DevicesCommand.self, SlicesCommand.self, ExplainCommand.self,
            DoctorCommand.self, SimulateCommand.self, CaptureCommand.self, DemoCommand.self,
        ])
}
