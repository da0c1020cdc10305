"""What the words of an instruction do: ablation, two versions side by side, tuning."""
