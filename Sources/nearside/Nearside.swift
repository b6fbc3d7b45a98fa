// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

@main
struct Nearside: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nearside",
        abstract: "Shows which NIC is on the near side of which accelerator.",
        discussion: """
            Examples:
              nearside pairs                                     the pairs of this machine
              nearside topology --machine aws-p5 -o svg > p5.svg a machine type as a picture
              nearside explain default/my-claim                  an allocation against the best possible
              nearside doctor                                    what keeps this machine from its best
            All run against this machine, --host-root DIR, --machine NAME or --machine FILE.
            Exit status: 0 well, 1 something cannot be read or used, 2 doctor or explain found something, 64 wrong use.
            """,
        subcommands: [
            TopologyCommand.self, PairsCommand.self, DevicesCommand.self, SlicesCommand.self, ExplainCommand.self,
            DoctorCommand.self, SimulateCommand.self, CaptureCommand.self, DemoCommand.self,
        ])
}
