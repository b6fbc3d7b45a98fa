// SPDX-License-Identifier: Apache-2.0

extension MachineDescription {
    /// p4d.24xlarge, as a machine description.
    static let awsP4d = #"""
        {"apiVersion": "nearside/v1alpha1", "kind": "Machine", "name": "p4d.24xlarge",
         "source": "hwloc capture in the libfabric tests of ai-dynamo/nixl (Apache-2.0)",
         "note": "Numbers of /dev nodes and RDMA rates are assumed from the drivers' behaviour, in bus order.",
         "numaNodes": [{"id": 0}, {"id": 1}],
         "functions": [
          {"address": "0000:00:04.0", "vendor": "1d0f", "device": "8061", "class": "010802", "path": ["pci0000:00"], "driver": "nvme"},
          {"address": "0000:10:00.0", "vendor": "1d0f", "device": "ec20", "class": "020000", "path": ["pci0000:10"], "numaNode": 0, "driver": "ena", "netdevs": [{"name": "ens32", "mtu": 9001, "state": "up", "uplink": true}]},
          {"address": "0000:10:1b.0", "vendor": "1d0f", "device": "efa0", "class": "020000", "path": ["pci0000:10"], "numaNode": 0, "driver": "efa", "rdmaDevices": [{"name": "rdmap16s27", "ports": [{"number": 1, "state": "ACTIVE", "linkLayer": "Unspecified", "rate": 100}], "charDevices": [{"path": "/dev/infiniband/uverbs0", "major": 231, "minor": 192}]}]},
          {"address": "0000:10:1c.0", "vendor": "10de", "device": "20b0", "class": "030200", "path": ["pci0000:10"], "numaNode": 0, "driver": "nvidia", "link": {"gigatransfers": 16, "lanes": 16}, "charDevices": [{"path": "/dev/nvidia0", "major": 195, "minor": 0}], "accelerator": {"index": 0}},
          {"address": "0000:10:1d.0", "vendor": "10de", "device": "20b0", "class": "030200", "path": ["pci0000:10"], "numaNode": 0, "driver": "nvidia", "link": {"gigatransfers": 16, "lanes": 16}, "charDevices": [{"path": "/dev/nvidia1", "major": 195, "minor": 1}], "accelerator": {"index": 1}},
          {"address": "0000:10:1e.0", "vendor": "1d0f", "device": "cd01", "class": "010802", "path": ["pci0000:10"], "numaNode": 0, "driver": "nvme"},
          {"address": "0000:10:1f.0", "vendor": "1d0f", "device": "cd01", "class": "010802", "path": ["pci0000:10"], "numaNode": 0, "driver": "nvme"},
          {"address": "0000:20:01.0", "vendor": "1d0f", "device": "ec20", "class": "020000", "path": ["pci0000:20"], "numaNode": 0, "driver": "ena", "netdevs": [{"name": "ens65", "mtu": 9001, "state": "up"}]},
          {"address": "0000:20:1b.0", "vendor": "1d0f", "device": "efa0", "class": "020000", "path": ["pci0000:20"], "numaNode": 0, "driver": "efa", "rdmaDevices": [{"name": "rdmap32s27", "ports": [{"number": 1, "state": "ACTIVE", "linkLayer": "Unspecified", "rate": 100}], "charDevices": [{"path": "/dev/infiniband/uverbs1", "major": 231, "minor": 193}]}]},
          {"address": "0000:20:1c.0", "vendor": "10de", "device": "20b0", "class": "030200", "path": ["pci0000:20"], "numaNode": 0, "driver": "nvidia", "link": {"gigatransfers": 16, "lanes": 16}, "charDevices": [{"path": "/dev/nvidia2", "major": 195, "minor": 2}], "accelerator": {"index": 2}},
          {"address": "0000:20:1d.0", "vendor": "10de", "device": "20b0", "class": "030200", "path": ["pci0000:20"], "numaNode": 0, "driver": "nvidia", "link": {"gigatransfers": 16, "lanes": 16}, "charDevices": [{"path": "/dev/nvidia3", "major": 195, "minor": 3}], "accelerator": {"index": 3}},
          {"address": "0000:20:1e.0", "vendor": "1d0f", "device": "cd01", "class": "010802", "path": ["pci0000:20"], "numaNode": 0, "driver": "nvme"},
          {"address": "0000:20:1f.0", "vendor": "1d0f", "device": "cd01", "class": "010802", "path": ["pci0000:20"], "numaNode": 0, "driver": "nvme"},
          {"address": "0000:90:01.0", "vendor": "1d0f", "device": "ec20", "class": "020000", "path": ["pci0000:90"], "numaNode": 1, "driver": "ena", "netdevs": [{"name": "ens129", "mtu": 9001, "state": "up"}]},
          {"address": "0000:90:1b.0", "vendor": "1d0f", "device": "efa0", "class": "020000", "path": ["pci0000:90"], "numaNode": 1, "driver": "efa", "rdmaDevices": [{"name": "rdmap144s27", "ports": [{"number": 1, "state": "ACTIVE", "linkLayer": "Unspecified", "rate": 100}], "charDevices": [{"path": "/dev/infiniband/uverbs2", "major": 231, "minor": 194}]}]},
          {"address": "0000:90:1c.0", "vendor": "10de", "device": "20b0", "class": "030200", "path": ["pci0000:90"], "numaNode": 1, "driver": "nvidia", "link": {"gigatransfers": 16, "lanes": 16}, "charDevices": [{"path": "/dev/nvidia4", "major": 195, "minor": 4}], "accelerator": {"index": 4}},
          {"address": "0000:90:1d.0", "vendor": "10de", "device": "20b0", "class": "030200", "path": ["pci0000:90"], "numaNode": 1, "driver": "nvidia", "link": {"gigatransfers": 16, "lanes": 16}, "charDevices": [{"path": "/dev/nvidia5", "major": 195, "minor": 5}], "accelerator": {"index": 5}},
          {"address": "0000:90:1e.0", "vendor": "1d0f", "device": "cd01", "class": "010802", "path": ["pci0000:90"], "numaNode": 1, "driver": "nvme"},
          {"address": "0000:90:1f.0", "vendor": "1d0f", "device": "cd01", "class": "010802", "path": ["pci0000:90"], "numaNode": 1, "driver": "nvme"},
          {"address": "0000:a0:01.0", "vendor": "1d0f", "device": "ec20", "class": "020000", "path": ["pci0000:a0"], "numaNode": 1, "driver": "ena", "netdevs": [{"name": "ens161", "mtu": 9001, "state": "up"}]},
          {"address": "0000:a0:1b.0", "vendor": "1d0f", "device": "efa0", "class": "020000", "path": ["pci0000:a0"], "numaNode": 1, "driver": "efa", "rdmaDevices": [{"name": "rdmap160s27", "ports": [{"number": 1, "state": "ACTIVE", "linkLayer": "Unspecified", "rate": 100}], "charDevices": [{"path": "/dev/infiniband/uverbs3", "major": 231, "minor": 195}]}]},
          {"address": "0000:a0:1c.0", "vendor": "10de", "device": "20b0", "class": "030200", "path": ["pci0000:a0"], "numaNode": 1, "driver": "nvidia", "link": {"gigatransfers": 16, "lanes": 16}, "charDevices": [{"path": "/dev/nvidia6", "major": 195, "minor": 6}], "accelerator": {"index": 6}},
          {"address": "0000:a0:1d.0", "vendor": "10de", "device": "20b0", "class": "030200", "path": ["pci0000:a0"], "numaNode": 1, "driver": "nvidia", "link": {"gigatransfers": 16, "lanes": 16}, "charDevices": [{"path": "/dev/nvidia7", "major": 195, "minor": 7}], "accelerator": {"index": 7}},
          {"address": "0000:a0:1e.0", "vendor": "1d0f", "device": "cd01", "class": "010802", "path": ["pci0000:a0"], "numaNode": 1, "driver": "nvme"},
          {"address": "0000:a0:1f.0", "vendor": "1d0f", "device": "cd01", "class": "010802", "path": ["pci0000:a0"], "numaNode": 1, "driver": "nvme"}
         ]}
        """#
}
