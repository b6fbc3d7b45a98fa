// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

@main
struct Nearside: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nearside",
        abstract: "Shows which NIC is nearest to which accelerator, and inspects claims and clusters.",
        discussion: """
            Examples:
              nearside pairs                        the pairs of this machine
              nearside topology --machine hgx-a100  a machine type
              nearside explain default/my-claim     a claim compared with the best
              nearside doctor                       problems, and their solutions
              nearside claim 4                      a claim template for 4 pairs
              nearside cluster                      free pairs of every node
              nearside validate claim.json          errors in its configurations
            Commands inspect this machine, --host-root DIR, or --machine NAME or FILE.
            Exit status: 0 success; 1 an input cannot be read or used;
            2 doctor, explain or cluster found something; 64 wrong command line.
            """,
        subcommands: [
            TopologyCommand.self, PairsCommand.self, DevicesCommand.self, SlicesCommand.self, ClaimCommand.self, ClusterCommand.self,
            ExplainCommand.self,
            DoctorCommand.self, SimulateCommand.self, ValidateCommand.self, CaptureCommand.self, DemoCommand.self,
        ])
}
